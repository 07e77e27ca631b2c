"""The client's wire: what it writes is read by h11, what it reads was written by h11, and nothing else breaks it."""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Iterable
from typing import Any

import h11
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from polylambda.errors import ConnectionLost, LocalProtocolError, ProtocolError
from polylambda.rapi import wire as wires
from polylambda.rapi.events import ANSWER, POLL, Invocation, Reply
from polylambda.rapi.wire import Wire
from polylambda.report import report

HOST = "127.0.0.1:9001"
EVENT_HEADERS = [
    ("Content-Type", "application/json"),
    ("Lambda-Runtime-Aws-Request-Id", "id-1"),
    ("Lambda-Runtime-Invocation-Id", "attempt-1"),
    ("Lambda-Runtime-Deadline-Ms", "1700000000000"),
    ("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:eu-west-1:123456789012:function:f"),
    ("Lambda-Runtime-Trace-Id", ""),
]
ACCEPTED = b'HTTP/1.1 202 Accepted\r\nContent-Length: 16\r\n\r\n{"status":"OK"}\n'


def written(status: int, headers: list[tuple[str, str]], body: bytes, *, chunks: int = 0) -> bytes:
    """A reply as h11 writes it; with `chunks`, in so many of them."""
    server = h11.Connection(h11.SERVER)
    server.receive_data(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n")
    while server.next_event() is not h11.PAUSED and server.their_state is not h11.DONE:
        pass
    framing = [] if chunks else [("Content-Length", str(len(body)))]
    data = server.send(h11.Response(status_code=status, headers=[*headers, *framing])) or b""
    step = max(1, -(-len(body) // chunks)) if chunks else max(1, len(body))
    for start in range(0, len(body), step):
        data += server.send(h11.Data(data=body[start : start + step])) or b""
    return data + (server.send(h11.EndOfMessage()) or b"")


def events_of(wire: Wire, pieces: Iterable[bytes]) -> list[Any]:
    """What comes out, in a form that can be compared; the error at its end, if there is one."""
    seen: list[Any] = []
    try:
        for piece in pieces:
            wire.receive(piece)
            while (event := wire.next_event()) is not None:
                if isinstance(event, Invocation):
                    seen.append((event.request_id, event.invocation_id, event.deadline_ms, event.payload))
                else:
                    seen.append((event.to, event.status, event.body))
    except (ProtocolError, ConnectionLost) as error:
        seen.append(type(error))
    return seen


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """`data` in pieces that end at `places`."""
    bounds = [0, *sorted({place % (len(data) + 1) for place in places}), len(data)]
    return [piece for start, end in itertools.pairwise(bounds) if (piece := data[start:end])]


def ahead(wire: Wire, invocation: Invocation) -> bytes:
    """An answer and the next poll, as they are sent in one write."""
    return wire.response(invocation, "application/json", 2) + b"{}" + wire.next()


def an_invocation() -> Invocation:
    return Invocation(b"{}", {name.lower(): value for name, value in EVENT_HEADERS})


splits = st.lists(st.integers(min_value=0, max_value=10_000), max_size=40)


@given(body=st.binary(max_size=3000), chunks=st.integers(min_value=0, max_value=5), places=splits)
@example(body=b"", chunks=0, places=[])
def test_however_the_replies_are_cut_they_say_the_same(body: bytes, chunks: int, places: list[int]) -> None:
    stream = ACCEPTED + b"HTTP/1.1 100 Continue\r\n\r\n" + written(200, EVENT_HEADERS, body, chunks=chunks)
    wire = Wire(HOST)
    ahead(wire, an_invocation())
    assert events_of(wire, cut(stream, places)) == [
        (ANSWER, 202, b'{"status":"OK"}\n'),
        ("id-1", "attempt-1", "1700000000000", body),
    ]
    assert wire.state is wires.IDLE


@given(places=splits)
def test_a_refusal_that_closes_takes_the_poll_behind_it_along(places: list[int]) -> None:
    wire = Wire(HOST)
    ahead(wire, an_invocation())
    body = b'{"errorType":"RequestEntityTooLarge","errorMessage":"Exceeded"}'
    assert events_of(wire, cut(written(413, [("Connection", "close")], body), places)) == [(ANSWER, 413, body)]
    assert wire.state is wires.CLOSED


@given(body=st.binary(max_size=300), chunks=st.integers(min_value=0, max_value=3), end=st.integers(0, 100_000))
def test_a_reply_that_breaks_off_is_a_lost_connection(body: bytes, chunks: int, end: int) -> None:
    stream = written(200, EVENT_HEADERS, body, chunks=chunks)
    wire = Wire(HOST)
    wire.next()
    assert events_of(wire, [stream[: end % len(stream)], b""]) == [ConnectionLost]
    assert wire.state is wires.CLOSED


@given(garbage=st.binary(min_size=1, max_size=400), places=splits)
@example(garbage=b"HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\n", places=[])
@example(garbage=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", places=[])
@example(garbage=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", places=[])
@example(garbage=b"HTTP/1.1 200 OK\r\n folded: x\r\n\r\n", places=[])
@example(garbage=b"HTTP/1.1 200 OK\nbare: x\n\n", places=[])
@example(garbage=b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", places=[])
def test_garbage_ends_the_connection_with_an_error_of_ours(garbage: bytes, places: list[int]) -> None:
    wire = Wire(HOST)
    wire.next()
    seen = events_of(wire, [*cut(garbage, places), b""])
    assert [each for each in seen if isinstance(each, type)] in ([ProtocolError], [ConnectionLost], [])
    assert wire.state is wires.CLOSED


@given(head=st.binary(max_size=200), places=splits)
def test_a_damaged_head_is_never_taken_for_an_event(head: bytes, places: list[int]) -> None:
    wire = Wire(HOST)
    wire.next()
    seen = events_of(wire, [*cut(b"HTTP/1.1 200 OK\r\n" + head + b"\r\nContent-Length: 2\r\n\r\n{}", places), b""])
    assert not [each for each in seen if isinstance(each, tuple) and each[0] == "id-1"]


def test_a_head_without_an_end_is_not_kept_for_ever() -> None:
    wire = Wire(HOST)
    wire.next()
    wire.receive(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 1024)
    assert wire.next_event() is None
    wire.receive(b"y" * 2 * 1024 * 1024)
    with pytest.raises(ProtocolError, match="longer than"):
        wire.next_event()


def parsed(data: bytes) -> tuple[Any, bytes, dict[str, str]]:
    """A request as h11 reads it: its head, its body, its trailers."""
    server = h11.Connection(h11.SERVER, max_incomplete_event_size=1024 * 1024)
    server.receive_data(data)
    head: Any = server.next_event()
    body = b""
    while isinstance(event := server.next_event(), h11.Data):
        body += event.data
    assert isinstance(event, h11.EndOfMessage)
    return head, body, {name.decode(): value.decode() for name, value in event.headers}


def headers_of(head: Any) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in head.headers}


def test_a_poll() -> None:
    head, body, _ = parsed(Wire("[::1]:9001").next())
    assert (head.method, head.target, body) == (b"GET", b"/2018-06-01/runtime/invocation/next", b"")
    assert headers_of(head)["host"] == "[::1]:9001"
    assert headers_of(head)["user-agent"].startswith("polylambda-python/")


@given(body=st.binary(max_size=500))
def test_an_answer_echoes_the_attempt(body: bytes) -> None:
    head, received, _ = parsed(Wire(HOST).response(an_invocation(), "application/json", len(body)) + body)
    assert head.target == b"/2018-06-01/runtime/invocation/id-1/response"
    assert received == body
    assert headers_of(head)["lambda-runtime-invocation-id"] == "attempt-1"
    assert "lambda-runtime-function-response-mode" not in headers_of(head)


def test_an_attempt_without_a_name_is_not_echoed() -> None:
    head, _, _ = parsed(Wire(HOST).response(Invocation(b"", {"lambda-runtime-aws-request-id": "x"}), "a/b", 0))
    assert "lambda-runtime-invocation-id" not in headers_of(head)


@given(pieces=st.lists(st.binary(max_size=200), max_size=6))
def test_a_stream_with_and_without_an_error_at_its_end(pieces: list[bytes]) -> None:
    for error in (None, report(ValueError("late\nü"), "id-1")):
        wire = Wire(HOST)
        data = wire.stream(an_invocation(), "text/plain")
        data += b"".join([wire.chunk(piece) for piece in pieces]) + wire.stream_end(error)
        head, received, trailers = parsed(data)
        headers = headers_of(head)
        assert received == b"".join(pieces)
        assert headers["lambda-runtime-function-response-mode"] == "streaming"
        announced = {name.strip().lower() for name in headers["trailer"].split(",")}
        if error is None:
            assert trailers == {}
            continue
        assert set(trailers) == announced
        assert trailers["lambda-runtime-function-error-type"] == "Function.ValueError"
        payload = json.loads(base64.b64decode(trailers["lambda-runtime-function-error-body"], validate=True))
        assert (payload["errorMessage"], payload["requestId"]) == ("late\nü", "id-1")


@given(message=st.text(max_size=200))
@example(message='new\nline, nul \0, quote ", backslash \\, emoji 🦆')
def test_an_error_is_whole_whatever_its_message(message: str) -> None:
    head, body, _ = parsed(Wire(HOST).error(an_invocation(), report(RuntimeError(message), "id-1")))
    assert head.target == b"/2018-06-01/runtime/invocation/id-1/error"
    assert json.loads(body)["errorMessage"] == message
    assert json.loads(headers_of(head)["lambda-runtime-function-xray-error-cause"])["exceptions"][0]["type"]


@pytest.mark.parametrize("content_type", ["text/plain\r\nEvil: 1", "a\0b", "a\nb"])
def test_a_media_type_cannot_end_its_line(content_type: str) -> None:
    for data in (
        Wire(HOST).response(an_invocation(), content_type, 0),
        (stream := Wire(HOST)).stream(an_invocation(), content_type) + stream.stream_end(),
    ):
        head, _, _ = parsed(data)
        assert "evil" not in headers_of(head)


class TestWhatMayBeSentWhen:
    def test_one_poll_at_a_time(self) -> None:
        wire = Wire(HOST)
        wire.next()
        with pytest.raises(LocalProtocolError, match="polling cannot send a poll"):
            wire.next()
        assert wire.state is wires.POLLING

    def test_no_answer_behind_a_poll(self) -> None:
        wire = Wire(HOST)
        wire.next()
        with pytest.raises(LocalProtocolError):
            wire.response(an_invocation(), "a/b", 0)

    def test_no_piece_without_a_stream(self) -> None:
        wire = Wire(HOST)
        for step in (lambda: wire.chunk(b"x"), wire.stream_end):
            with pytest.raises(LocalProtocolError):
                step()
        assert wire.state is wires.IDLE

    def test_nothing_after_a_stream(self) -> None:
        wire = Wire(HOST)
        wire.stream(an_invocation(), "a/b")
        wire.stream_end()
        with pytest.raises(LocalProtocolError):
            wire.next()
        assert events_of(wire, [ACCEPTED]) == [(ANSWER, 202, b'{"status":"OK"}\n')]
        assert wire.state is wires.CLOSED, "the platform wants a new connection after a stream"

    def test_a_reply_to_nothing(self) -> None:
        wire = Wire(HOST)
        assert events_of(wire, [ACCEPTED]) == [ProtocolError]

    def test_a_refused_answer_leaves_the_poll_behind_it(self) -> None:
        wire = Wire(HOST)
        ahead(wire, an_invocation())
        refusal = written(400, [], b'{"errorType":"InvalidRequestID","errorMessage":"Invalid request ID"}')
        wire.receive(refusal + written(200, EVENT_HEADERS, b"{}"))
        reply = wire.next_event()
        assert isinstance(reply, Reply)
        assert (reply.to, reply.accepted, reply.reason()) == (ANSWER, False, ("InvalidRequestID", "Invalid request ID"))
        assert isinstance(wire.next_event(), Invocation)

    def test_an_event_without_an_id(self) -> None:
        wire = Wire(HOST)
        wire.next()
        assert events_of(wire, [written(200, [("Lambda-Runtime-Aws-Request-Id", "")], b"{}")]) == [ProtocolError]

    def test_a_refused_poll(self) -> None:
        wire = Wire(HOST)
        wire.next()
        assert events_of(wire, [written(500, [], b"down")]) == [(POLL, 500, b"down")]
        assert wire.state is wires.IDLE


def test_every_state_and_every_request_is_in_the_tables() -> None:
    states = {wires.IDLE, wires.POLLING, wires.ANSWERED, wires.AHEAD, wires.STREAMING, wires.ENDED, wires.CALLING}
    sent = {state for steps in wires._SENT.values() for pair in steps.items() for state in pair}
    assert sent == states
    assert set(wires._REPLIED) == states - {wires.IDLE}
