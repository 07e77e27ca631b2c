"""The HTTP of the agent: one connection of a plane, carrying one request at a time. What requests mean is not known here.

Parsing is httptools'. A reply is one write; a stream goes out in chunks, as fast as it is read.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, cast

import httptools
import msgspec

from polylambda.rapi import headers as names

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_HEAD = 1024 * 1024  # bytes
MAX_BODY = 16 * 1024 * 1024  # bytes; an event has at most 6 MiB


class Request:
    """A request of the plane, whole.

    Attributes:
        method: in upper case.
        path: without the query.
        query: behind the question mark.
        headers: names in lower case.
        body: what was sent with it.
    """

    __slots__ = ("body", "headers", "method", "path", "query")

    def __init__(self, method: str, target: str, headers: dict[str, bytes], body: bytes) -> None:
        self.method = method
        self.path, _, self.query = target.partition("?")
        self.headers = headers
        self.body = body


Serve = Callable[[Request, "Connection"], None]


class Connection(asyncio.Protocol):
    """Serve the requests of one connection, one after the other, to whoever knows the token."""

    def __init__(self, serve: Serve, token: str) -> None:
        """Give every request that brings `token` to `serve`."""
        self._serve = serve
        self._authorization = b"Bearer " + token.encode()
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._target = b""
        self._headers: dict[str, bytes] = {}
        self._body: list[bytes] = []
        self._size = 0  # bytes of the current head, then of the body
        self._in_body = False
        self._busy = False  # a request awaits its reply
        self._streaming = False
        self._broken = False  # what comes is not worth reading
        self._congested: asyncio.Future[None] | None = None
        self._on_lost: Callable[[], None] | None = None

    # For who serves

    @property
    def lost(self) -> bool:
        """Nobody hears us any more."""
        return self._transport is None

    def reply(
        self,
        status: int,
        body: bytes = b"",
        *,
        content_type: str = names.JSON,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Send the whole reply to the current request."""
        head = self._head(status, content_type, headers) + f"Content-Length: {len(body)}\r\n\r\n"
        self._busy = False
        self._send(head.encode() + body)

    def refuse(self, status: int, message: str, *, headers: Mapping[str, str] | None = None) -> None:
        """Send a reply that says what is wrong."""
        self.reply(status, msgspec.json.encode({"message": message}), headers=headers)

    def begin(self, status: int, *, content_type: str, on_lost: Callable[[], None] | None = None) -> None:
        """Begin a reply that is sent in pieces; `on_lost` is called when nobody hears it any more."""
        self._streaming = True
        self._on_lost = on_lost
        self._send((self._head(status, content_type, None) + "Transfer-Encoding: chunked\r\n\r\n").encode())

    def write(self, data: bytes) -> None:
        """Send a piece of the reply."""
        if data:
            self._send(b"%x\r\n%b\r\n" % (len(data), data))

    @property
    def backlog(self) -> int:
        """Bytes that were written and not sent yet."""
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    async def drain(self) -> None:
        """Wait until what was written has been taken, or nobody takes it any more."""
        if self._congested is not None:
            await asyncio.shield(self._congested)

    def finish(self) -> None:
        """End the reply that was sent in pieces."""
        self._busy = self._streaming = False
        self._on_lost = None
        self._send(b"0\r\n\r\n")

    def close(self) -> None:
        """Close the connection, when what was written has been sent."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close the connection now."""
        if self._transport is not None:
            self._transport.abort()

    # For the event loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by inheritance

    def data_received(self, data: bytes) -> None:
        """Take bytes of the plane."""
        if self._busy and not self._streaming:
            self.abort()  # it does not wait for our replies: it is no plane
            return
        if self._broken:
            return
        if not self._in_body:
            self._size += len(data)
            if self._size > MAX_HEAD:
                self._break_off(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"a head has at most {MAX_HEAD} bytes")
                return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._broken = True  # it has its reply
        except httptools.HttpParserError as error:
            self._break_off(HTTPStatus.BAD_REQUEST, f"the request is not HTTP/1.1: {error}")

    def eof_received(self) -> None:
        """Take it that the plane is done with the connection."""

    def connection_lost(self, exc: Exception | None) -> None:
        """Take it that nobody hears us any more."""
        self._transport = None
        self.resume_writing()
        on_lost, self._on_lost = self._on_lost, None
        if on_lost is not None:
            on_lost()

    def pause_writing(self) -> None:
        """Have whoever drains wait."""
        self._congested = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        """Have whoever drains go on."""
        waiter, self._congested = self._congested, None
        if waiter is not None:
            waiter.set_result(None)

    # For the parser

    def on_message_begin(self) -> None:
        """Forget the request before."""
        self._target = b""
        self._headers = {}
        self._body = []

    def on_url(self, url: bytes) -> None:
        """Take a piece of the target."""
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header."""
        self._headers[name.decode("latin-1").lower()] = value

    def on_headers_complete(self) -> None:
        """Take it that the body follows."""
        self._in_body = True
        self._size = 0
        if self._headers.get("expect", b"").lower() == b"100-continue":
            self._send(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, data: bytes) -> None:
        """Take a piece of the body."""
        self._size += len(data)
        if self._size <= MAX_BODY:
            self._body.append(data)
        else:
            self._body.clear()

    def on_message_complete(self) -> None:
        """Serve the request."""
        self._in_body = False
        size, self._size = self._size, 0
        if self._busy:
            self.abort()
            return
        self._busy = True
        if size > MAX_BODY:
            self._break_off(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a body has at most {MAX_BODY} bytes, not {size}")
        elif self._parser.should_upgrade():
            self._break_off(HTTPStatus.BAD_REQUEST, "the agent speaks nothing but HTTP/1.1")
        elif not hmac.compare_digest(self._headers.get("authorization", b""), self._authorization):
            self._break_off(HTTPStatus.UNAUTHORIZED, "send the agent's token as: Authorization: Bearer TOKEN")
        else:
            method = self._parser.get_method().decode()
            body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
            self._body = []
            self._serve(Request(method, self._target.decode("latin-1"), self._headers, body), self)

    # Inside

    @staticmethod
    def _head(status: int, content_type: str, headers: Mapping[str, str] | None) -> str:
        more = "".join(f"{name}: {value}\r\n" for name, value in headers.items()) if headers else ""
        return f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nContent-Type: {content_type}\r\n{more}"

    def _break_off(self, status: HTTPStatus, message: str) -> None:
        self._broken = True
        self.refuse(status, message, headers={"Connection": "close"})
        self.close()

    def _send(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)
