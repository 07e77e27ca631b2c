"""Heads and bodies of HTTP/1.1, with h11 as the oracle."""

from __future__ import annotations

import itertools

import h11
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from polylambda.errors import ProtocolError
from polylambda.rapi import h1

TOKEN = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
names = st.text(alphabet=TOKEN, min_size=1, max_size=20)
values = st.text(alphabet=st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=30)


def by_h11(head: bytes) -> tuple[int, dict[str, str]] | None:
    """What h11 makes of a response's head; None when it refuses it."""
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method="GET", target="/", headers=[("Host", "h")]))
    client.receive_data(head + b"\r\n\r\n")
    try:
        event = client.next_event()
    except h11.RemoteProtocolError:
        return None
    if not isinstance(event, (h11.Response, h11.InformationalResponse)):
        return None
    headers: dict[str, str] = {}
    for name, value in event.headers:
        key, text = name.decode(), value.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return event.status_code, headers


@given(fields=st.lists(st.tuples(names, values), max_size=12), status=st.integers(200, 599))
@example(fields=[("X", "1"), ("x", "2"), ("X", "3")], status=200)
def test_a_head_says_what_it_says_to_h11(fields: list[tuple[str, str]], status: int) -> None:
    framing = ("content-length", "transfer-encoding")  # h11 reads those too, and joins or refuses them
    fields = [(name, value) for name, value in fields if name.lower() not in framing]
    head = "\r\n".join([f"HTTP/1.1 {status} Reason", *(f"{name}: {value}" for name, value in fields)]).encode()
    read, version, headers = h1.parse_response_head(head)
    assert ((read, headers), version) == (by_h11(head), "1.1")


@given(noise=st.binary(max_size=120))
@example(noise=b"X: 1\r\n folded")
@example(noise=b"X : 1")
@example(noise=b": 1")
@example(noise=b"X: 1\nY: 2")
@example(noise=b"X: 1\rY: 2")
@example(noise=b"X: \0")
@example(noise="X: ü".encode())
@example(noise=b"X: \xff")
def test_what_is_read_of_a_strange_head_is_what_h11_reads(noise: bytes) -> None:
    """It may be stricter than h11, which forgives bare line feeds and folded lines; it never reads something else."""
    head = b"HTTP/1.1 200 OK\r\n" + noise
    try:
        status, _, headers = h1.parse_response_head(head)
    except ProtocolError:
        return
    if noise.isascii() and b"\r\n\r\n" not in noise + b"\r\n" and not noise.startswith(b"\r\n") and noise:
        expected = by_h11(head)
        if expected is not None:
            assert (status, headers) == expected


@pytest.mark.parametrize("line", ["HTTP/2 200 OK", "HTTP/1.1 20 OK", "HTTP/1.1 099 x", "HTTP/1.1  200", "200 OK", ""])
def test_not_a_status_line(line: str) -> None:
    with pytest.raises(ProtocolError, match="status line"):
        h1.parse_response_head(line.encode())


@pytest.mark.parametrize("line", ["GET /", "GET  / HTTP/1.1", "G@T / HTTP/1.1", "GET / HTTP/1.2", " / HTTP/1.1", ""])
def test_not_a_request_line(line: str) -> None:
    with pytest.raises(ProtocolError, match="request line"):
        h1.parse_request_head(line.encode())


@pytest.mark.parametrize("text", ["-1", "1, 2", "x", "", "1" * 30, "+1", "1_0"])
def test_not_a_length(text: str) -> None:
    with pytest.raises(ProtocolError):
        h1.content_length({"content-length": text})


@pytest.mark.parametrize(
    ("version", "connection", "alive"),
    [
        ("1.1", None, True),
        ("1.1", "close", False),
        ("1.1", "Keep-Alive, Close", False),
        ("1.0", None, False),
        ("1.0", "keep-alive", True),
        ("1.1", "upgrade", True),
    ],
)
def test_whether_the_connection_stays(version: str, connection: str | None, alive: bool) -> None:
    headers = {} if connection is None else {"connection": connection}
    assert h1.keeps_alive(version, headers) is alive


def chunked(pieces: list[bytes], trailers: list[tuple[str, str]]) -> bytes:
    """A chunked body as h11 writes it."""
    server = h11.Connection(h11.CLIENT)
    server.send(h11.Request(method="POST", target="/", headers=[("Host", "h"), ("Transfer-Encoding", "chunked")]))
    data = b"".join([server.send(h11.Data(data=piece)) or b"" for piece in pieces])
    return data + (server.send(h11.EndOfMessage(headers=trailers)) or b"")


@given(
    pieces=st.lists(st.binary(max_size=300), max_size=8),
    places=st.lists(st.integers(0, 3000), max_size=60),
    rest=st.binary(max_size=20),
)
@example(pieces=[b"a" * 100], places=list(range(200)), rest=b"next")
def test_a_chunked_body_however_it_is_cut(pieces: list[bytes], places: list[int], rest: bytes) -> None:
    data = chunked(pieces, [("X-Last", "1")])
    bounds = [0, *sorted({place % len(data) for place in places} - {0}), len(data)]
    cuts = [data[start:end] for start, end in itertools.pairwise(bounds)]
    body = h1.ChunkedBody()
    received = b"".join([body.feed(piece) for piece in [*cuts[:-1], cuts[-1] + rest]])
    assert body.complete
    assert (received, body.trailers, body.rest) == (b"".join(pieces), {"x-last": "1"}, rest)


@given(garbage=st.binary(max_size=200))
@example(garbage=b"5\r\nhelloX\r\n")
@example(garbage=b"-1\r\n")
@example(garbage=b"1;" + b"x" * 5000)
@example(garbage=b"0\r\nno colon\r\n\r\n")
@example(garbage=b"1\nx\r\n")
def test_garbage_instead_of_chunks(garbage: bytes) -> None:
    body = h1.ChunkedBody()
    try:
        body.feed(garbage)
    except ProtocolError:
        return
    assert body.complete or len(body.rest) == 0


def test_a_line_that_never_ends_is_not_kept() -> None:
    body = h1.ChunkedBody()
    body.feed(b"1" * 4000)
    with pytest.raises(ProtocolError, match="longer than"):
        body.feed(b"1" * 1000)
