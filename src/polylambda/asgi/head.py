"""The head of a response: which headers may leave, and how AWS wants them told."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from polylambda.asgi.protocol import Lines, Message

# RFC 9110, section 7.6.1, and what its predecessors added: they are between the application's server, which there is
# none of, and the next hop. AWS refuses or renames most of them.
HOP_BY_HOP = frozenset(
    {b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"proxy-connection", b"te", b"trailer",
     b"transfer-encoding", b"upgrade"}
)  # fmt: skip

_is_name = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+").fullmatch
_unsafe = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]").search

_NO_CONTENT = frozenset({204, 205, 304})


class Head:
    """Status and headers of a response.

    Attributes:
        status: from 200 to 599.
        lines: the headers that go to the caller.
        has_body: what the application sends as body goes to the caller too; not so for HEAD, 204 and 304.
    """

    __slots__ = ("has_body", "lines", "status")

    def __init__(self, message: Message, method: str) -> None:
        """Take an `http.response.start`.

        Raises:
            ValueError: the status or a header is none that HTTP can carry.
        """
        self.status = status = message["status"]
        if not isinstance(status, int) or not 200 <= status <= 599:
            raise ValueError(f"the status of a response is a number from 200 to 599, not {status!r}")
        self.lines = _lines(message.get("headers") or ())
        self.has_body = method != "HEAD" and status not in _NO_CONTENT

    @property
    def is_bodiless(self) -> bool:
        """The status says that there is no content, whatever the method."""
        return self.status in _NO_CONTENT

    def prelude(self, *, multi_value: bool) -> dict[str, Any]:
        """Return the arguments of `ResponseStream.start_http`.

        Args:
            multi_value: tell repeated headers one by one, as REST APIs understand them; else, as function URLs do, cookies
                apart from the other headers, whose values are joined.
        """
        single: dict[str, str] = {}
        repeated: dict[str, list[str]] = {}
        for name, value in self.lines:
            key, text = name.decode("ascii"), value.decode("latin-1")
            if key in repeated:
                repeated[key].append(text)
            elif key == "set-cookie" or (multi_value and key in single):
                repeated[key] = [single.pop(key), text] if key in single else [text]
            else:
                single[key] = f"{single[key]}, {text}" if key in single else text
        if multi_value:
            return {"status": self.status, "headers": single, "multi_value_headers": repeated}
        return {"status": self.status, "headers": single, "cookies": repeated.get("set-cookie")}


def end_to_end(lines: Lines) -> Lines:
    """Leave out what ends at each hop: some names always, and those that `connection` lists."""
    names = HOP_BY_HOP
    for name, value in lines:
        if name == b"connection":
            names = names | {each.strip().lower() for each in value.split(b",")}
    return [line for line in lines if line[0] not in names]


def _lines(headers: Iterable[Iterable[bytes]]) -> Lines:
    lines: Lines = []
    is_between = False
    for name, value in headers:
        key = bytes(name).lower()
        if not _is_name(key):
            raise ValueError(f"{name!r} cannot be the name of an HTTP header")
        if _unsafe(value):
            raise ValueError(f"the header {key.decode()} holds a control character: {value!r:.80}")
        is_between = is_between or key in HOP_BY_HOP
        lines.append((key, bytes(value)))
    return end_to_end(lines) if is_between else lines
