"""Heads and bodies of HTTP/1.1, with h11 as the oracle: what both accept they must understand the same."""

from __future__ import annotations

import itertools

import h11
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from polylambda.errors import ProtocolError
from polylambda.rapi import h1

TOKEN = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
FRAMING = ("content-length", "transfer-encoding")  # which h11 reads, joins and refuses at once
STRANGE = [
    b"\r\n",
    b"\n",
    b"\r",
    b"\0",
    b" ",
    b"\t",
    b":",
    b"\x0b",
    b"\xff",
    "ü".encode(),
    b"HTTP/1.1",
    b"\r\n ",
    b"\x85",
]
Fields = list[tuple[str, str]]

names = st.text(alphabet=TOKEN, min_size=1, max_size=20).filter(lambda name: name.lower() not in FRAMING)
visible = st.characters(min_codepoint=0x21, max_codepoint=0x7E) | st.sampled_from("éü€🦆")
words = st.text(alphabet=visible, min_size=1, max_size=20)
spaces = st.text(alphabet=" \t", max_size=2)
values = st.builds(
    lambda lead, parts, trail: lead + " ".join(parts) + trail, spaces, st.lists(words, max_size=3), spaces
)
fields = st.lists(st.tuples(names, values), max_size=12)


def by_h11(head: bytes, role: type[h11.Sentinel] = h11.CLIENT) -> tuple[list[str], dict[str, str]] | None:
    """What h11 makes of a head: the words of its first line, and its headers; None when it refuses it."""
    connection = h11.Connection(role, max_incomplete_event_size=1024 * 1024)
    if role is h11.CLIENT:
        connection.send(h11.Request(method="GET", target="/", headers=[("Host", "h")]))
    connection.receive_data(head + b"\r\n\r\n")
    try:
        event = connection.next_event()
    except h11.RemoteProtocolError:
        return None
    if isinstance(event, h11.Request):
        line = [event.method.decode(), event.target.decode(), event.http_version.decode()]
    elif isinstance(event, (h11.Response, h11.InformationalResponse)):
        line = [str(event.status_code), event.http_version.decode()]
    else:
        return None
    return line, joined(event.headers)


def joined(headers: h11._headers.Headers) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in headers:
        key, text = name.decode(), text_of(value)
        found[key] = f"{found[key]}, {text}" if key in found else text
    return found


def text_of(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def by_us(head: bytes, role: type[h11.Sentinel] = h11.CLIENT) -> tuple[list[str], dict[str, str]] | None:
    """What we make of it, in the same form."""
    try:
        if role is h11.SERVER:
            *line, headers = h1.parse_request_head(head)
            return line, headers
        status, version, headers = h1.parse_response_head(head)
    except ProtocolError:
        return None
    return [str(status), version], headers


def head_of(line: str, fields: Fields) -> bytes:
    return "\r\n".join([line, *(f"{name}:{value}" for name, value in fields)]).encode()


def damage(data: st.DataObject, sent: bytes, least: int) -> bytes:
    """`sent` with some bytes put in, taken out or replaced."""
    changed = bytearray(sent)
    for _ in range(data.draw(st.integers(least, 4))):
        at = data.draw(st.integers(0, len(changed)))
        changed[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2) | st.sampled_from(STRANGE))
    return bytes(changed)


class TestHeads:
    @given(fields=fields, status=st.integers(100, 999).filter(lambda status: status != 101), reason=st.none() | values)
    @example(fields=[("X", "1"), ("x", "2"), ("X", "3")], status=200, reason="OK")
    def test_of_a_response(self, fields: Fields, status: int, reason: str | None):
        head = head_of(f"HTTP/1.1 {status}" if reason is None else f"HTTP/1.1 {status} {reason}", fields)
        assert by_us(head) is not None
        assert by_us(head) == by_h11(head)

    @given(fields=fields, method=names, target=st.text(alphabet=TOKEN + "/?=&%:[]@", min_size=1))
    def test_of_a_request(self, fields: Fields, method: str, target: str):
        fields = [(name, value) for name, value in fields if name.lower() != "host"]
        head = head_of(f"{method} {target} HTTP/1.1", [*fields, ("Host", " h")])
        assert by_us(head, h11.SERVER) is not None
        assert by_us(head, h11.SERVER) == by_h11(head, h11.SERVER)

    @given(data=st.data(), role=st.sampled_from([h11.CLIENT, h11.SERVER]))
    def test_that_are_damaged(self, data: st.DataObject, role: type[h11.Sentinel]):
        line = "HTTP/1.1 200 OK" if role is h11.CLIENT else "GET /path HTTP/1.1"
        head = damage(data, head_of(line, [("Host", " h"), ("X-One", " 1"), ("X-Two", " a b")]), least=1)
        assume(b"\r\n\r\n" not in head + b"\r\n")  # the head would end there
        self.agree(head, role)

    @pytest.mark.parametrize("noise", ["folded", "space", "nameless", "feed", "return", "nul", "latin", "utf-8"])
    @pytest.mark.parametrize("role", [h11.CLIENT, h11.SERVER])
    def test_that_are_strange(self, noise: str, role: type[h11.Sentinel]):
        lines = {
            "folded": b"X: 1\r\n folded",
            "space": b"X : 1",
            "nameless": b": 1",
            "feed": b"X: 1\nY: 2",
            "return": b"X: 1\rY: 2",
            "nul": b"X: \0",
            "latin": b"X: \xfcber",
            "utf-8": "X: über".encode(),
        }
        first = b"HTTP/1.1 200 OK\r\n" if role is h11.CLIENT else b"GET / HTTP/1.1\r\nHost: h\r\n"
        self.agree(first + lines[noise], role)

    def agree(self, head: bytes, role: type[h11.Sentinel]) -> None:
        ours, theirs = by_us(head, role), by_h11(head, role)
        # h11 forgives bare line feeds and folded lines; we forgive control characters, a missing Host, and any length.
        if ours is not None and theirs is not None:
            assert ours == theirs

    @pytest.mark.parametrize(
        "noise", [b"X: 1\r\n folded", b"X : 1", b": 1", b"X: 1\nY: 2", b"X: 1\rY: 2", b"X: \0", b"X"]
    )
    def test_that_are_refused(self, noise: bytes):
        with pytest.raises(ProtocolError):
            h1.parse_response_head(b"HTTP/1.1 200 OK\r\n" + noise)

    @pytest.mark.parametrize(
        "line",
        [
            *("HTTP/2 200 OK", "HTTP/1.1 20 OK", "HTTP/1.1 2000 OK", "HTTP/1.1 099 x", "HTTP/1.1  200", "HTTP/1.1 ٢٠٠"),
            *("http/1.1 200 OK", "HTTP/1.1", "HTTP/1.10 200 OK", "200 OK", "", " HTTP/1.1 200 OK", "HTTP/1.1 +20 OK"),
        ],
    )
    def test_not_a_status_line(self, line: str):
        with pytest.raises(ProtocolError, match="status line"):
            h1.parse_response_head(line.encode())

    @pytest.mark.parametrize(
        "line",
        [
            *("GET /", "GET  / HTTP/1.1", "G@T / HTTP/1.1", "GET / HTTP/1.2", " / HTTP/1.1", "", "GET / HTTP/1.1 "),
            *("GET /ü HTTP/1.1", "GET /\t HTTP/1.1", "GET  HTTP/1.1"),
        ],
    )
    def test_not_a_request_line(self, line: str):
        with pytest.raises(ProtocolError, match="request line"):
            h1.parse_request_head(line.encode())

    def test_what_was_read_before_is_remembered_within_limits(self):
        for number in range(2000):
            h1.parse_response_head(f"HTTP/1.1 200 reason-{number}\r\nX-Name-{number}: 1".encode())
        assert len(h1._known_names) <= 512
        assert len(h1._known_status_lines) <= 512
        assert h1.parse_response_head(b"HTTP/1.1 418 New\r\nX-Still-New: 1") == (418, "1.1", {"x-still-new": "1"})

    def test_a_name_that_is_repeated_very_often(self):
        _, _, headers = h1.parse_response_head(b"HTTP/1.1 200 OK" + b"\r\nX:1" * 200_000)
        assert headers["x"] == ", ".join(["1"] * 200_000)


class TestFraming:
    @pytest.mark.parametrize("text", ["-1", "1, 2", "x", "", "1" * 30, "+1", "1_0", "٢", "0x10", ","])
    def test_not_a_length(self, text: str):
        with pytest.raises(ProtocolError, match="content-length"):
            h1.content_length({"content-length": text})

    @pytest.mark.parametrize(("text", "length"), [("0", 0), ("7", 7), ("7, 7", 7), ("007", 7)])
    def test_a_length(self, text: str, length: int):
        assert h1.content_length({"content-length": text}) == length

    def test_no_length(self):
        assert h1.content_length({}) is None

    def test_chunked(self):
        assert h1.is_chunked({"transfer-encoding": "Chunked"})
        assert not h1.is_chunked({})
        with pytest.raises(ProtocolError, match="gzip"):
            h1.is_chunked({"transfer-encoding": "gzip, chunked"})

    @pytest.mark.parametrize(
        ("version", "connection", "alive"),
        [
            ("1.1", None, True),
            ("1.1", "close", False),
            ("1.1", "Keep-Alive, Close", False),
            ("1.0", None, False),
            ("1.0", "keep-alive", True),
            ("1.1", "upgrade", True),
            ("1.1", "closed", True),
        ],
    )
    def test_whether_the_connection_stays(self, version: str, connection: str | None, alive: bool):
        headers = {} if connection is None else {"connection": connection}
        assert h1.keeps_alive(version, headers) is alive


class TestBodies:
    @given(length=st.integers(0, 50), pieces=st.lists(st.binary(max_size=20), max_size=8))
    def test_of_an_announced_length(self, length: int, pieces: list[bytes]):
        body = h1.FixedBody(length)
        received = b""
        for piece in pieces:
            if body.complete:
                break
            received += body.feed(piece)
        fed = b"".join(pieces)
        assert body.complete == (len(fed) >= length)
        assert received == fed[:length]

    @given(
        pieces=st.lists(st.binary(max_size=300), max_size=8),
        places=st.lists(st.integers(0, 3000), max_size=60),
        rest=st.binary(max_size=20),
    )
    @example(pieces=[b"a" * 100], places=list(range(200)), rest=b"next")
    def test_in_chunks_however_they_are_cut(self, pieces: list[bytes], places: list[int], rest: bytes):
        data = chunked(pieces, [("X-Last", "1"), ("x-last", "2"), ("Y", "")])
        bounds = [0, *sorted({place % len(data) for place in places} - {0}), len(data)]
        cuts = [data[start:end] for start, end in itertools.pairwise(bounds)]
        body = h1.ChunkedBody()
        received = b"".join([body.feed(piece) for piece in [*cuts[:-1], cuts[-1] + rest]])
        assert body.complete
        assert (received, body.rest) == (b"".join(pieces), rest)
        assert body.trailers == {"x-last": "1, 2", "y": ""}

    @given(data=st.data())
    def test_in_damaged_chunks(self, data: st.DataObject):
        """They are refused, or understood as h11 does, and in one piece as byte by byte."""
        sent = damage(data, b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nX: 1\r\n\r\n", least=0)
        whole, single = read_chunks([sent]), read_chunks([bytes([byte]) for byte in sent])
        assert whole == single
        theirs = chunks_by_h11(sent)
        if whole is not None and theirs is not None:
            assert whole == theirs

    @pytest.mark.parametrize(
        ("garbage", "what"),
        [
            (b"5\r\nhelloXY\r\n", "does not end where its size says"),
            (b"5\r\nhelloXYZ", "does not end where its size says"),
            (b"5\r\nhello\n", "bare line feed"),
            (b"1\nx\r\n", "bare line feed"),
            (b"-1\r\n", "not a chunk size"),
            (b"\r\n", "not a chunk size"),
            (b"0x1\r\n", "not a chunk size"),
            (b"f" * 16 + b"\r\n", "not a chunk size"),
            (b"1;" + b"x" * 5000, "longer than 4096"),
            (b"0\r\nno colon\r\n\r\n", "without a colon"),
            (b"0\r\nX: a\rb\r\n\r\n", "carriage return"),
        ],
    )
    @pytest.mark.parametrize("size", [1, 3, 10_000])
    def test_in_what_is_no_chunk(self, garbage: bytes, what: str, size: int):
        with pytest.raises(ProtocolError, match=what):
            feed(h1.ChunkedBody(), [garbage[at : at + size] for at in range(0, len(garbage), size)])

    def test_with_trailers_of_the_size_that_an_error_has_in_tiny_pieces(self):
        """A megabyte and a half: if each piece cost as much as all before it, this would take minutes."""
        error = b"x" * (1024 * 1024 * 4 // 3)
        sent = b"0\r\nError: " + error + b"\r\n\r\n"
        body = h1.ChunkedBody()
        feed(body, [sent[at : at + 4] for at in range(0, len(sent), 4)])
        assert body.complete
        assert body.trailers == {"error": error.decode()}

    @pytest.mark.parametrize("line", [b"X: 1\r\n", b"x" * 100])
    def test_with_trailers_that_never_end(self, line: bytes):
        body = h1.ChunkedBody()
        body.feed(b"0\r\n")
        with pytest.raises(ProtocolError, match="trailers are longer than"):
            feed(body, [line] * (2 * 1024 * 1024 // len(line)))


def feed(body: h1.ChunkedBody, pieces: list[bytes]) -> None:
    for piece in pieces:
        body.feed(piece)


def chunked(pieces: list[bytes], trailers: Fields) -> bytes:
    """A chunked body as h11 writes it."""
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method="POST", target="/", headers=[("Host", "h"), ("Transfer-Encoding", "chunked")]))
    data = b"".join([client.send(h11.Data(data=piece)) or b"" for piece in pieces])
    return data + (client.send(h11.EndOfMessage(headers=trailers)) or b"")


def read_chunks(pieces: list[bytes]) -> tuple[bytes, dict[str, str], bytes] | None:
    """What we make of a chunked body; None when it is refused, or not whole."""
    body = h1.ChunkedBody()
    received = rest = b""
    try:
        for piece in pieces:
            if body.complete:
                rest += piece
            else:
                received += body.feed(piece)
    except ProtocolError:
        return None
    return (received, body.trailers, body.rest + rest) if body.complete else None


def chunks_by_h11(data: bytes) -> tuple[bytes, dict[str, str], bytes] | None:
    """What h11 makes of it."""
    server = h11.Connection(h11.SERVER)
    server.receive_data(b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + data)
    received = b""
    try:
        while not isinstance(event := server.next_event(), h11.EndOfMessage):
            if event is h11.NEED_DATA:
                return None
            if isinstance(event, h11.Data):
                received += event.data
    except h11.RemoteProtocolError:
        return None
    return received, joined(event.headers), server.trailing_data[0]
