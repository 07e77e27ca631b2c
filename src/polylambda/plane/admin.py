"""The plane's own endpoints, beside AWS's API: what the fleet is, dead letters, metrics, and the end.

They are for `polylambda ps`, `load` and `down`, which know the token in the data directory.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import msgspec

if TYPE_CHECKING:
    from polylambda.plane.metrics import Metrics
    from polylambda.plane.queue import EventQueue
    from polylambda.plane.snapshot import Snapshot

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_JSON = b"application/json"
_METRICS = b"text/plain; version=0.0.4; charset=utf-8"
_MAX_LETTERS = 1000

_Answer = tuple[int, bytes, bytes]


class Admin:
    """An ASGI application: `/polylambda/fleet`, `/polylambda/dead-letters`, `/polylambda/down`, `/metrics`.

    Reading needs the token only when others than this machine can reach the plane; ending the plane always does, so that
    no web page can do it.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        metrics: Metrics,
        queue: EventQueue,
        *,
        token: Callable[[], str],
        public: bool,
        down: Callable[[], None],
    ) -> None:
        """Answer with what the others know.

        Args:
            snapshot: of the fleet.
            metrics: figures.
            queue: with the dead letters.
            token: gives the bearer token.
            public: the plane listens on more than loopback.
            down: ends the plane, soon.
        """
        self._snapshot = snapshot
        self._metrics = metrics
        self._queue = queue
        self._token = token
        self._public = public
        self._down = down

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        status, content_type, body = self._answer(scope)
        headers = [(b"content-type", content_type), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    def _answer(self, scope: Scope) -> _Answer:
        method, path = scope["method"], scope["path"]
        wanted = "POST" if path == "/polylambda/down" else "GET"
        if path not in ("/metrics", "/polylambda/fleet", "/polylambda/dead-letters", "/polylambda/down"):
            return _told(404, f"there is no {path} here")
        if method != wanted and not (wanted == "GET" and method == "HEAD"):
            return _told(405, f"{path} takes {wanted}, not {method}")
        if (self._public or wanted == "POST") and not self._knows_token(scope):
            return _told(401, "send `Authorization: Bearer` with the token in plane.json of the data directory")
        match path:
            case "/metrics":
                return 200, _METRICS, self._metrics.text().encode()
            case "/polylambda/fleet":
                return 200, _JSON, msgspec.json.encode(self._snapshot.document())
            case "/polylambda/dead-letters":
                return self._dead_letters(scope)
            case _:
                self._down()
                return _told(202, "the plane ends")

    def _dead_letters(self, scope: Scope) -> _Answer:
        query = parse_qs(scope["query_string"].decode("latin-1"))
        limit = query.get("limit", ["100"])[0]
        if not limit.isascii() or not limit.isdigit() or not 0 < int(limit[:9]) <= _MAX_LETTERS:
            return _told(400, f"limit={limit} must be a number from 1 to {_MAX_LETTERS}")
        letters = self._queue.dead_letters(query.get("function", [None])[0], limit=int(limit))
        return 200, _JSON, msgspec.json.encode({"dead_letters": letters})

    def _knows_token(self, scope: Scope) -> bool:
        lines: list[tuple[bytes, bytes]] = scope["headers"]
        given = next((value for name, value in lines if name == b"authorization"), b"")
        return hmac.compare_digest(given, f"Bearer {self._token()}".encode())


def _told(status: int, message: str) -> _Answer:
    return status, _JSON, msgspec.json.encode({"message": message})
