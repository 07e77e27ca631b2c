"""The part of HTTP/1.1 that both ends of the Runtime API speak: heads, header blocks, body framing. RFC 9112.

Bytes in, values out; no socket, no clock. Written for one short head per message, since a reply to `next` is parsed for
every invocation. What it does not read it refuses with `ProtocolError`: obsolete line folding, bare line feeds, two
lengths that differ.
"""

from __future__ import annotations

from polylambda.errors import ProtocolError

HEAD_END = b"\r\n\r\n"
MAX_HEAD = 1024 * 1024 + 64 * 1024  # bytes; the platform's own limit for an invocation's metadata is 1 MiB
MAX_CHUNK_LINE = 4096  # bytes of a chunk's size line, extensions included

_TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_HEX = frozenset(b"0123456789abcdefABCDEF")
_known_names: dict[str, str] = {}  # spelling on the wire -> lower case; a peer sends the same few names for ever
_MAX_KNOWN_NAMES = 512


def parse_response_head(head: bytes) -> tuple[int, str, dict[str, str]]:
    """Parse a status line and its headers, without the empty line at the end.

    Returns: status code, HTTP version (`1.1` or `1.0`), headers with lower-case names.

    Raises:
        ProtocolError: the bytes are no response head.
    """
    lines = _lines(head)
    first = lines[0]
    if first[:7] != "HTTP/1." or first[7:8] not in ("0", "1") or first[8:9] != " " or not _is_status(first[9:13]):
        raise ProtocolError(f"not an HTTP/1.1 status line: {first[:80]!r}")
    return int(first[9:12]), first[5:8], _headers(lines)


def parse_request_head(head: bytes) -> tuple[str, str, str, dict[str, str]]:
    """Parse a request line and its headers, without the empty line at the end.

    Returns: method, target, HTTP version (`1.1` or `1.0`), headers with lower-case names.

    Raises:
        ProtocolError: the bytes are no request head.
    """
    lines = _lines(head)
    parts = lines[0].split(" ")
    if len(parts) != 3 or parts[2] not in ("HTTP/1.1", "HTTP/1.0") or not parts[1] or not _is_token(parts[0]):
        raise ProtocolError(f"not an HTTP/1.1 request line: {lines[0][:80]!r}")
    return parts[0], parts[1], parts[2][5:], _headers(lines)


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
    if text.isascii() and text.isdigit() and len(text) < 19:
        return int(text)
    values = {part.strip() for part in text.split(",")}
    value = values.pop()
    if values or not (value.isascii() and value.isdigit() and len(value) < 19):
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


class ChunkedBody:
    """A body in chunks, with trailers. RFC 9112, section 7.1.

    Attributes:
        complete: the last chunk and the trailers were fed.
        rest: bytes that were fed behind its end.
        trailers: the trailer fields, names in lower case.
    """

    __slots__ = ("_expected", "_pending", "_state", "complete", "rest", "trailers")

    def __init__(self) -> None:
        self._pending = b""  # bytes of a line that is not whole yet
        self._expected = 0  # bytes of the current chunk still to come
        self._state = "size"  # size -> data -> data-end -> size ...; size of zero -> trailers
        self.complete = False
        self.rest = b""
        self.trailers: dict[str, str] = {}

    def feed(self, data: bytes) -> bytes:
        """Take received bytes and return those which belong to the body.

        Raises:
            ProtocolError: the bytes are not well-formed chunks.
        """
        if self._pending:
            data = self._pending + data
            self._pending = b""
        parts: list[bytes] = []
        at = 0
        end = len(data)
        while at < end and not self.complete:
            if self._state == "data":
                part = data[at : at + self._expected]
                parts.append(part)
                at += len(part)
                self._expected -= len(part)
                if not self._expected:
                    self._state = "data-end"
            elif self._state == "data-end":
                if end - at < 2 and data[at:] == b"\r":
                    break
                if data[at : at + 2] != b"\r\n":
                    raise ProtocolError(f"a chunk does not end where its size says: {data[at : at + 20]!r}")
                at += 2
                self._state = "size"
            elif self._state == "size":
                line_end = data.find(b"\r\n", at)
                if line_end < 0:
                    if end - at > MAX_CHUNK_LINE:
                        raise ProtocolError(f"a chunk's size line is longer than {MAX_CHUNK_LINE} bytes")
                    break
                self._expected = _chunk_size(data[at:line_end])
                self._state = "data" if self._expected else "trailers"
                # The trailers begin at the line end, so that an empty block is one empty line as in a head.
                at = line_end + 2 if self._expected else line_end
            else:
                block_end = data.find(HEAD_END, at)
                if block_end < 0:
                    if end - at > MAX_HEAD:
                        raise ProtocolError(f"the trailers are longer than {MAX_HEAD} bytes")
                    break
                if block_end > at:
                    self.trailers = _headers(_lines(data[at:block_end]))
                at = block_end + 4
                self.complete = True
        if self.complete:
            self.rest = data[at:]
        else:
            self._pending = data[at:]
        return parts[0] if len(parts) == 1 else b"".join(parts)


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
    """The headers of `lines`, whose first is the start line; repeated ones are joined by a comma."""
    headers: dict[str, str] = {}
    known = _known_names
    for line in lines[1:] if lines else ():
        spelled, colon, value = line.partition(":")
        name = known.get(spelled) or _learn_name(spelled, colon, line)
        if not colon:
            raise ProtocolError(f"a header without a colon: {line[:80]!r}")
        value = value.strip(" \t")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _learn_name(spelled: str, colon: str, line: str) -> str:
    if not colon or not _is_token(spelled):
        raise ProtocolError(f"not a header: {line[:80]!r}")
    name = spelled.lower()
    if len(_known_names) < _MAX_KNOWN_NAMES and len(spelled) <= 64:
        _known_names[spelled] = name
    return name


def _is_token(text: str) -> bool:
    return bool(text) and _TOKEN.issuperset(text)


def _is_status(text: str) -> bool:
    """Three digits, then a space or nothing."""
    return text[:3].isascii() and text[:3].isdigit() and len(text) >= 3 and text[3:] in ("", " ") and text[0] != "0"


def _chunk_size(line: bytes) -> int:
    digits = line.partition(b";")[0].rstrip(b" \t")
    if not digits or len(digits) > 15 or not _HEX.issuperset(digits):
        raise ProtocolError(f"not a chunk size: {line[:80]!r}")
    return int(digits, 16)
