"""The part of HTTP/1.1 that both ends of the Runtime API speak: heads, header blocks, body framing. RFC 9112.

Bytes in, values out; no socket, no clock. Written for one short head per message, since a reply to `next` is parsed for
every invocation. What it does not read it refuses with `ProtocolError`: obsolete line folding, bare line feeds, two
lengths that differ.
"""

from __future__ import annotations

from polylambda.errors import ProtocolError
from polylambda.rapi.headers import JSON, OCTET_STREAM

HEAD_END = b"\r\n\r\n"
MAX_HEAD = 1024 * 1024 + 64 * 1024  # bytes; the platform's own limit for an invocation's metadata is 1 MiB
MAX_CHUNK_LINE = 4096  # bytes of a chunk's size line, extensions included
MAX_TRAILERS = 1536 * 1024  # bytes; an error's body of 1 MiB comes in base64

_TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_VERSIONS = ("HTTP/1.1", "HTTP/1.0")
_HEX = frozenset(b"0123456789abcdefABCDEF")

# A peer sends the same few names and status lines for ever: what was read once is looked up.
_known_names: dict[str, str] = {}  # spelling on the wire -> lower case
_known_status_lines: dict[str, tuple[int, str]] = {}
_MAX_KNOWN = 512  # of each; the rest is read anew every time


def parse_response_head(head: bytes) -> tuple[int, str, dict[str, str]]:
    """Parse a status line and its headers, without the empty line at the end.

    Returns: status code, HTTP version (`1.1` or `1.0`), headers with lower-case names.

    Raises:
        ProtocolError: the bytes are no response head.
    """
    lines = _lines(head)
    status, version = _known_status_lines.get(lines[0]) or _read_status_line(lines[0])
    return status, version, _headers(lines[1:])


def parse_request_head(head: bytes) -> tuple[str, str, str, dict[str, str]]:
    """Parse a request line and its headers, without the empty line at the end.

    Returns: method, target, HTTP version (`1.1` or `1.0`), headers with lower-case names.

    Raises:
        ProtocolError: the bytes are no request head.
    """
    lines = _lines(head)
    parts = lines[0].split(" ")
    if len(parts) != 3 or parts[2] not in _VERSIONS or not _is_token(parts[0]) or not _is_target(parts[1]):
        raise ProtocolError(f"not an HTTP/1.1 request line: {lines[0][:80]!r}")
    return parts[0], parts[1], parts[2][5:], _headers(lines[1:])


def keeps_alive(version: str, headers: dict[str, str]) -> bool:
    """Say whether the connection may carry another message after this one."""
    connection = headers.get("connection")
    if connection is None:
        return version == "1.1"
    options = {option.strip() for option in connection.lower().split(",")}
    if "close" in options:
        return False
    return version == "1.1" or "keep-alive" in options


def content_length(headers: dict[str, str]) -> int | None:
    """Return the announced length of the body in bytes, None when there is none.

    Raises:
        ProtocolError: the header is not a number, or is several that differ.
    """
    text = headers.get("content-length")
    if text is None:
        return None
    if _is_number(text):
        return int(text)
    values = {part.strip() for part in text.split(",")}
    value = values.pop()
    if values or not _is_number(value):
        raise ProtocolError(f"content-length is not one number of bytes: {text[:80]!r}")
    return int(value)


def is_chunked(headers: dict[str, str]) -> bool:
    """Say whether the body is sent in chunks.

    Raises:
        ProtocolError: another transfer coding is asked for.
    """
    coding = headers.get("transfer-encoding")
    if coding is None:
        return False
    if coding.lower() != "chunked":
        raise ProtocolError(f"transfer-encoding is not chunked: {coding[:80]!r}")
    return True


class FixedBody:
    """A body of an announced length.

    Attributes:
        complete: the whole body was fed.
        rest: bytes that were fed behind its end.
    """

    __slots__ = ("complete", "remaining", "rest")

    def __init__(self, length: int) -> None:
        self.remaining = length
        self.complete = length == 0
        self.rest = b""

    def feed(self, data: bytes) -> bytes:
        """Take received bytes and return those which belong to the body."""
        if len(data) >= self.remaining:
            self.rest = data[self.remaining :]
            data = data[: self.remaining]
            self.complete = True
        self.remaining -= len(data)
        return data


class ClosedBody:
    """A body that ends when its connection does; `complete` is set by whoever sees that."""

    __slots__ = ("complete", "rest")

    def __init__(self) -> None:
        self.complete = False
        self.rest = b""

    def feed(self, data: bytes) -> bytes:
        """Take received bytes: all belong to the body."""
        return data


# The lines of a chunked body, and what is wrong with one that is too long.
_SIZE, _DATA_END, _TRAILER = range(3)
_TOO_LONG = {
    _SIZE: f"a chunk's size line is longer than {MAX_CHUNK_LINE} bytes",
    _DATA_END: "a chunk does not end where its size says",
    _TRAILER: f"the trailers are longer than {MAX_TRAILERS} bytes",
}


class ChunkedBody:
    """A body in chunks, with trailers. RFC 9112, section 7.1.

    Between chunks there are only lines: the size of the next chunk, the empty line behind a chunk's data, the trailers.

    Attributes:
        complete: the last chunk and the trailers were fed.
        rest: bytes that were fed behind its end.
        trailers: the trailer fields, names in lower case.
    """

    __slots__ = ("_awaited", "_block", "_left", "_line", "_room", "complete", "rest", "trailers")

    def __init__(self) -> None:
        self._left = 0  # bytes of the current chunk still to come
        self._awaited = _SIZE  # the line that follows
        self._room = MAX_CHUNK_LINE  # bytes that it may have
        self._line = bytearray()  # what has come of it
        self._block: list[bytes] = []  # the trailers
        self.complete = False
        self.rest = b""
        self.trailers: dict[str, str] = {}

    def feed(self, data: bytes) -> bytes:
        """Take received bytes and return those which belong to the body.

        Raises:
            ProtocolError: the bytes are not well-formed chunks.
        """
        parts: list[bytes] = []
        at = 0
        while at < len(data) and not self.complete:
            if self._left:
                part = data[at : at + self._left]
                parts.append(part)
                at += len(part)
                self._left -= len(part)
                if not self._left and data.startswith(b"\r\n", at):
                    at += 2  # the empty line has come as well, as it nearly always has
                    self._awaited, self._room = _SIZE, MAX_CHUNK_LINE
            else:
                at = self._feed_line(data, at)
        if self.complete:
            self.rest = data[at:]
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _feed_line(self, data: bytes, at: int) -> int:
        """Take what there is of a line at `at`, and return where it ends."""
        end = data.find(b"\n", at) + 1
        line = data[at : end or len(data)]
        if len(self._line) + len(line) > self._room:
            raise ProtocolError(_TOO_LONG[self._awaited])
        if self._line or not end:
            self._line += line  # byte by byte if it must be: appending costs no copy of what was there
            if not end:
                return len(data)
            line = bytes(self._line)
            self._line.clear()
        if not line.endswith(b"\r\n"):
            raise ProtocolError(f"a line of a chunked body that ends with a bare line feed: {line[:80]!r}")
        self._take_line(line[:-2])
        return end

    def _take_line(self, line: bytes) -> None:
        if self._awaited == _SIZE:
            self._left = _chunk_size(line)
            if self._left:
                self._awaited, self._room = _DATA_END, len(b"\r\n")
            else:
                self._awaited, self._room = _TRAILER, MAX_TRAILERS
        elif self._awaited == _DATA_END:
            self._awaited, self._room = _SIZE, MAX_CHUNK_LINE
        elif line:
            self._block.append(line)
            self._room -= len(line) + 2
        else:
            if self._block:
                self.trailers = _headers(_lines(b"\r\n".join(self._block)))
            self.complete = True


def reply_body(status: int, headers: dict[str, str]) -> FixedBody | ChunkedBody | ClosedBody:
    """Return what reads the body of a reply: RFC 9112, section 6.3. Raises ProtocolError."""
    if status < 200 or status in (204, 304):
        return FixedBody(0)
    if is_chunked(headers):
        return ChunkedBody()
    length = content_length(headers)
    return ClosedBody() if length is None else FixedBody(length)


def media_type(text: str) -> str:
    """Return `text` as the value of Content-Type, unless it would end the header's line: it is a handler's word."""
    return text if text == JSON or text.isprintable() else OCTET_STREAM


def _lines(head: bytes) -> list[str]:
    try:
        text = head.decode()
    except UnicodeDecodeError:
        text = head.decode("latin-1")
    lines = text.split("\r\n")
    if text.count("\r") + text.count("\n") != 2 * (len(lines) - 1) or "\0" in text:
        raise ProtocolError("a head with a bare line feed, carriage return or NUL")
    return lines


def _headers(lines: list[str]) -> dict[str, str]:
    """The headers that `lines` are; repeated ones are joined by a comma."""
    headers: dict[str, str] = {}
    again: dict[str, list[str]] = {}
    known = _known_names
    for line in lines:
        spelled, colon, value = line.partition(":")
        if not colon:
            raise ProtocolError(f"a header without a colon: {line[:80]!r}")
        name = known.get(spelled) or _read_name(spelled)
        value = value.strip(" \t")
        if name in headers:
            again.setdefault(name, [headers[name]]).append(value)
        else:
            headers[name] = value
    for name, values in again.items():
        headers[name] = ", ".join(values)
    return headers


def _read_status_line(line: str) -> tuple[int, str]:
    protocol, _, rest = line.partition(" ")
    code, _, _ = rest.partition(" ")
    if protocol not in _VERSIONS or len(code) != 3 or not _is_number(code) or code < "100":
        raise ProtocolError(f"not an HTTP/1.1 status line: {line[:80]!r}")
    status = int(code), protocol[5:]
    if len(_known_status_lines) < _MAX_KNOWN and len(line) <= 64:
        _known_status_lines[line] = status
    return status


def _read_name(spelled: str) -> str:
    if not _is_token(spelled):
        raise ProtocolError(f"not a header's name: {spelled[:80]!r}")
    name = spelled.lower()
    if len(_known_names) < _MAX_KNOWN and len(spelled) <= 64:
        _known_names[spelled] = name
    return name


def _is_token(text: str) -> bool:
    return bool(text) and _TOKEN.issuperset(text)


def _is_target(text: str) -> bool:
    return bool(text) and text.isascii() and text.isprintable()


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19


def _chunk_size(line: bytes) -> int:
    digits = line.partition(b";")[0].rstrip(b" \t")
    if not digits or len(digits) > 15 or not _HEX.issuperset(digits):
        raise ProtocolError(f"not a chunk size: {line[:80]!r}")
    return int(digits, 16)
