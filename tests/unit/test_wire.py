"""The client's wire: what it writes is read by h11, what it reads was written by h11, and nothing else breaks it."""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Callable, Iterable
from typing import Any

import h11
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from polylambda.errors import ConnectionLost, LocalProtocolError, ProtocolError
from polylambda.rapi import h1
from polylambda.rapi import wire as wires
from polylambda.rapi.events import ANSWER, CALL, POLL, Invocation, Reply
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
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

splits = st.lists(st.integers(min_value=0, max_value=10_000), max_size=40)


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
                seen.append(plain(event))
    except (ProtocolError, ConnectionLost) as error:
        seen.append(type(error))
    return seen


def plain(event: Invocation | Reply) -> tuple[Any, ...]:
    if isinstance(event, Invocation):
        return event.request_id, event.invocation_id, event.deadline_ms, event.payload
    return event.to, event.status, event.body


def feed(wire: Wire, *pieces: bytes) -> None:
    for piece in pieces:
        wire.receive(piece)
        wire.next_event()


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """`data` in pieces that end at `places`."""
    bounds = [0, *sorted({place % (len(data) + 1) for place in places}), len(data)]
    return [piece for start, end in itertools.pairwise(bounds) if (piece := data[start:end])]


def an_invocation() -> Invocation:
    return Invocation(b"{}", {name.lower(): value for name, value in EVENT_HEADERS})


def answered(*, poll: bool) -> Wire:
    """A wire on which an answer was sent, and with `poll` the next poll behind it."""
    wire = Wire(HOST)
    wire.response(an_invocation(), "application/json", 2)
    if poll:
        wire.next()
    return wire


def polling() -> Wire:
    wire = Wire(HOST)
    wire.next()
    return wire


class TestReplies:
    @given(body=st.binary(max_size=3000), chunks=st.integers(min_value=0, max_value=5), places=splits)
    @example(body=b"", chunks=0, places=[])
    def test_however_they_are_cut_they_say_the_same(self, body: bytes, chunks: int, places: list[int]):
        wire = answered(poll=True)
        stream = ACCEPTED + CONTINUE + written(200, EVENT_HEADERS, body, chunks=chunks)
        assert events_of(wire, cut(stream, places)) == [
            (ANSWER, 202, b'{"status":"OK"}\n'),
            ("id-1", "attempt-1", "1700000000000", body),
        ]
        assert wire.state is wires.IDLE

    @given(data=st.data())
    def test_the_same_words_again_are_not_confused_with_others(self, data: st.DataObject):
        """An answer's reply that is the last one again is not parsed; whatever comes, it comes out as it went in."""
        body = b'{"status":"OK"}\n'
        replies = [
            (ACCEPTED, 202, body),
            (ACCEPTED.replace(b"Accepted", b"Accepted\r\nDate: x"), 202, body),
            (CONTINUE + ACCEPTED, 202, body),
            (written(202, [], body, chunks=2), 202, body),
            (written(202, [], b""), 202, b""),
            (written(400, [], body), 400, body),
            (written(200, [], body), 200, body),
        ]
        wire = polling()
        event = written(200, EVENT_HEADERS, b"{}")
        for _ in range(data.draw(st.integers(1, 6))):
            sent, status, expected = data.draw(st.sampled_from(replies))
            assert events_of(wire, [event]) == [plain(an_invocation())]
            wire.response(an_invocation(), "a/b", 0)
            if data.draw(st.booleans()):
                assert events_of(wire, cut(sent, data.draw(splits))) == [(ANSWER, status, expected)]
                wire.next()
                continue
            wire.next()
            both = cut(sent + event, data.draw(splits))
            assert events_of(wire, both) == [(ANSWER, status, expected), plain(an_invocation())]
            wire.response(an_invocation(), "a/b", 0)
            wire.next()
            assert events_of(wire, cut(sent, data.draw(splits))) == [(ANSWER, status, expected)]

    def test_a_poll_is_not_accepted_in_the_words_of_an_answer(self):
        wire = answered(poll=True)
        assert events_of(wire, [ACCEPTED, ACCEPTED]) == [
            (ANSWER, 202, b'{"status":"OK"}\n'),
            (POLL, 202, b'{"status":"OK"}\n'),
        ]

    def test_the_last_words_on_a_connection_are_not_the_same_words(self):
        closing = ACCEPTED.replace(b"Accepted", b"Accepted\r\nConnection: close")
        wire = answered(poll=False)
        assert events_of(wire, [ACCEPTED]) == [(ANSWER, 202, b'{"status":"OK"}\n')]
        wire.response(an_invocation(), "a/b", 0)
        assert events_of(wire, [closing]) == [(ANSWER, 202, b'{"status":"OK"}\n')]
        assert wire.state is wires.CLOSED

    @given(data=st.data(), body=st.binary(max_size=200), places=splits)
    def test_of_all_kinds_are_read_as_h11_reads_them(self, data: st.DataObject, body: bytes, places: list[int]):
        status = data.draw(st.sampled_from([200, 202, 204, 304, 400, 410, 413, 500, 599, 100, 102]))
        connection = data.draw(st.sampled_from(["", "Connection: close\r\n", "connection: Keep-Alive\r\n"]))
        version = data.draw(st.sampled_from(["1.1", "1.1", "1.0"]))
        length, chunked = f"Content-Length: {len(body)}\r\n", "Transfer-Encoding: chunked\r\n"
        others = ["", f"Content-Length: {len(body) + 1}\r\n", length * 2, length + "content-length: 3\r\n"]
        framing = data.draw(
            st.sampled_from([length, chunked, length + chunked, *others, "Transfer-Encoding: gzip\r\n"])
        )
        sent = f"HTTP/{version} {status} Words\r\n{connection}{framing}\r\n".encode()
        bodiless = status in (204, 304, 100, 102)
        if chunked in framing and not bodiless:
            sent += b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            sent += b"0\r\n\r\n"
        elif not bodiless:
            sent += body
        ours, theirs = read_by_us(cut(sent, places)), read_by_h11(sent)
        if theirs is None:
            assert ours is None or bodiless  # whose framing headers h11 reads all the same
        elif version == "1.1" or chunked not in framing:  # which HTTP/1.0 does not know
            assert ours == theirs

    @given(places=splits)
    def test_a_refusal_that_closes_takes_the_poll_behind_it_along(self, places: list[int]):
        wire = answered(poll=True)
        body = b'{"errorType":"RequestEntityTooLarge","errorMessage":"Exceeded"}'
        assert events_of(wire, cut(written(413, [("Connection", "close")], body), places)) == [(ANSWER, 413, body)]
        assert wire.state is wires.CLOSED

    @given(body=st.binary(max_size=300), chunks=st.integers(min_value=0, max_value=3), end=st.integers(0, 100_000))
    def test_that_break_off_are_a_lost_connection(self, body: bytes, chunks: int, end: int):
        stream = written(200, EVENT_HEADERS, body, chunks=chunks)
        wire = polling()
        assert events_of(wire, [stream[: end % len(stream)], b""]) == [ConnectionLost]
        assert wire.state is wires.CLOSED
        assert wire.next_event() is None

    @given(garbage=st.binary(min_size=1, max_size=400), places=splits)
    @example(garbage=b"HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\n", places=[])
    @example(garbage=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", places=[])
    @example(garbage=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", places=[])
    @example(garbage=b"HTTP/1.1 200 OK\r\n folded: x\r\n\r\n", places=[])
    @example(garbage=b"HTTP/1.1 200 OK\nbare: x\n\n", places=[])
    @example(garbage=b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", places=[])
    @example(garbage=b"HTTP/1.1 101 Switching Protocols\r\n\r\n", places=[])
    def test_garbage_ends_the_connection_with_an_error_of_ours(self, garbage: bytes, places: list[int]):
        wire = polling()
        assert events_of(wire, [*cut(garbage, places), b""]) in ([ProtocolError], [ConnectionLost])
        assert wire.state is wires.CLOSED
        assert wire.next_event() is None

    @given(head=st.binary(max_size=200), places=splits)
    def test_a_damaged_head_is_never_taken_for_an_event(self, head: bytes, places: list[int]):
        sent = b"HTTP/1.1 200 OK\r\n" + head + b"\r\nContent-Length: 2\r\n\r\n{}"
        seen = events_of(polling(), [*cut(sent, places), b""])
        assert [each for each in seen if isinstance(each, tuple)] == []

    def test_say_where_they_came_from(self):
        wire = polling()
        wire.receive(b"SSH-2.0\r\n\r\n")
        with pytest.raises(ProtocolError, match=r"127\.0\.0\.1:9001 \(AWS_LAMBDA_RUNTIME_API\) is no Runtime API"):
            wire.next_event()
        wire = polling()
        wire.receive(b"")
        with pytest.raises(
            ConnectionLost, match=r"127\.0\.0\.1:9001 \(AWS_LAMBDA_RUNTIME_API\) closed the connection$"
        ):
            wire.next_event()

    def test_without_a_length_they_end_with_the_connection(self):
        wire = polling()
        sent = b"HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: id-1\r\n\r\npay"
        assert events_of(wire, [sent, b"load", b""]) == [("id-1", "", "", b"payload")]
        assert wire.state is wires.CLOSED

    def test_bytes_behind_the_last_reply_that_is_due_end_the_connection(self):
        """They would be taken for the reply to what is sent next."""
        wire = answered(poll=False)
        assert events_of(wire, [ACCEPTED + b"H"]) == [(ANSWER, 202, b'{"status":"OK"}\n')]
        assert wire.state is wires.CLOSED
        wire = answered(poll=False)
        assert events_of(wire, [ACCEPTED]) == [(ANSWER, 202, b'{"status":"OK"}\n')]
        wire.response(an_invocation(), "a/b", 0)
        assert events_of(wire, [ACCEPTED + ACCEPTED]) == [(ANSWER, 202, b'{"status":"OK"}\n')]
        assert wire.state is wires.CLOSED

    def test_an_event_without_an_id_is_no_event(self):
        sent = written(200, [("Lambda-Runtime-Aws-Request-Id", "")], b"{}")
        assert events_of(polling(), [sent]) == [ProtocolError]

    @pytest.mark.parametrize("status", [201, 202, 400, 403, 500])
    def test_a_refused_poll(self, status: int):
        wire = polling()
        assert events_of(wire, [written(status, [], b"down")]) == [(POLL, status, b"down")]
        assert wire.state is wires.IDLE

    def test_a_head_without_an_end_is_not_kept_for_ever(self):
        wire = polling()
        piece = b"HTTP/1.1 200 OK\r\nX: " + b"y" * 1024
        with pytest.raises(ProtocolError, match="longer than"):
            feed(wire, *[piece] * (2 * h1.MAX_HEAD // len(piece)))

    def test_a_large_head_in_tiny_pieces(self):
        """A megabyte: if each piece cost as much as all before it, this would take minutes."""
        context = '{"custom":"' + "x" * 1024 * 1024 + '"}'
        sent = written(200, [("Lambda-Runtime-Client-Context", context), *EVENT_HEADERS], b"{}")
        wire = polling()
        feed(wire, *[sent[at : at + 4] for at in range(0, len(sent) - 1, 4)])
        wire.receive(sent[-1:] if (len(sent) - 1) % 4 == 0 else b"")
        assert wire.state is wires.IDLE or isinstance(wire.next_event(), Invocation)

    def test_know_whether_one_has_begun(self):
        wire = polling()
        seen = [wire.receiving]
        head = b"Lambda-Runtime-Aws-Request-Id: 1\r\nContent-Length: 2\r\n\r\n"
        for piece in (b"HTTP/1.1 200 OK\r\n", head, b"{", b"}"):
            feed(wire, piece)
            seen.append(wire.receiving)
        assert seen == [False, True, True, True, False]

    @pytest.mark.parametrize(
        ("body", "reason"),
        [
            (b'{"errorMessage":"m","errorType":"t"}', ("t", "m")),
            (b'{"errorMessage":null,"errorType":1}', ("1", "None")),
            (b"<html>", ("", "<html>")),
            (b'{"errorType":"t"}', ("", '{"errorType":"t"}')),
            (b"[1]", ("", "[1]")),
            (b"\xff", ("", "\N{REPLACEMENT CHARACTER}")),
            (b"[" * 100_000, ("", "[" * 200)),
            (b"", ("", "")),
        ],
    )
    def test_say_why(self, body: bytes, reason: tuple[str, str]):
        reply = Reply(ANSWER, 400, {}, body)
        assert reply.reason() == reason
        assert (reply.refusal().status, reply.refusal().error_type, reply.refusal().message) == (400, *reason)


def read_by_us(pieces: list[bytes]) -> tuple[int, bytes] | None:
    """The reply that we read of a connection; None when we refuse it, or it breaks off."""
    for event in events_of(answered(poll=False), [*pieces, b""]):
        return None if isinstance(event, type) else (event[1], event[2])
    raise AssertionError("neither a reply nor an error")


def read_by_h11(data: bytes) -> tuple[int, bytes] | None:
    """The reply that h11 reads."""
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method="POST", target="/", headers=[("Host", "h"), ("Content-Length", "0")]))
    client.send(h11.EndOfMessage())
    client.receive_data(data)
    client.receive_data(b"")
    status, body = 0, b""
    try:
        while not isinstance(event := client.next_event(), h11.EndOfMessage):
            if isinstance(event, h11.ConnectionClosed):
                return None
            if isinstance(event, h11.Response):
                status = event.status_code
            if isinstance(event, h11.Data):
                body += event.data
    except h11.RemoteProtocolError:
        return None
    return status, body


def parsed(data: bytes) -> tuple[Any, bytes, dict[str, str]]:
    """A request as h11 reads it: its head, its body, its trailers."""
    server = h11.Connection(h11.SERVER, max_incomplete_event_size=1024 * 1024)
    server.receive_data(data)
    head: Any = server.next_event()
    body = b""
    while isinstance(event := server.next_event(), h11.Data):
        body += event.data
    assert isinstance(event, h11.EndOfMessage)
    assert server.trailing_data == (b"", False)
    return head, body, {name.decode(): value.decode() for name, value in event.headers}


def headers_of(head: Any) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in head.headers}


class TestRequests:
    def test_a_poll(self):
        head, body, _ = parsed(Wire("[::1]:9001").next())
        assert (head.method, head.target, body) == (b"GET", b"/2018-06-01/runtime/invocation/next", b"")
        assert headers_of(head)["host"] == "[::1]:9001"
        assert headers_of(head)["user-agent"].startswith("polylambda-python/")

    @given(body=st.binary(max_size=500), content_type=st.text(max_size=30))
    @example(body=b"", content_type="text/plain\r\nEvil: 1")
    def test_an_answer(self, body: bytes, content_type: str):
        """Whatever a handler calls its content, it stays one header."""
        head, received, _ = parsed(Wire(HOST).response(an_invocation(), content_type, len(body)) + body)
        assert head.target == b"/2018-06-01/runtime/invocation/id-1/response"
        assert received == body
        expected = {"host", "user-agent", "lambda-runtime-invocation-id", "content-type", "content-length"}
        assert headers_of(head).keys() == expected
        assert headers_of(head)["lambda-runtime-invocation-id"] == "attempt-1"

    def test_an_attempt_without_a_name_is_not_echoed(self):
        head, _, _ = parsed(Wire(HOST).response(Invocation(b"", {"lambda-runtime-aws-request-id": "x"}), "a/b", 0))
        assert "lambda-runtime-invocation-id" not in headers_of(head)

    def test_an_answer_and_the_poll_behind_it(self):
        wire = Wire(HOST)
        answer = wire.response(an_invocation(), "a/b", 2) + b"{}"
        server = h11.Connection(h11.SERVER)
        server.receive_data(answer + wire.next())
        for method in (b"POST", b"GET"):
            head: Any = server.next_event()
            assert head.method == method
            while not isinstance(server.next_event(), h11.EndOfMessage):
                pass
            server.send(h11.Response(status_code=202, headers=[("Content-Length", "0")]))
            server.send(h11.EndOfMessage())
            server.start_next_cycle()
        assert server.next_event() is h11.NEED_DATA

    @given(pieces=st.lists(st.binary(max_size=200), max_size=6), content_type=st.text(max_size=30))
    @example(pieces=[], content_type="text/plain\nEvil: 1")
    def test_a_stream(self, pieces: list[bytes], content_type: str):
        for error in (None, report(ValueError("late\nü"), "id-1")):
            wire = Wire(HOST)
            data = wire.stream(an_invocation(), content_type)
            data += b"".join([wire.chunk(piece) for piece in pieces]) + wire.stream_end(error)
            head, received, trailers = parsed(data)
            headers = headers_of(head)
            assert head.target == b"/2018-06-01/runtime/invocation/id-1/response"
            assert "evil" not in headers
            assert received == b"".join(pieces)
            assert headers["lambda-runtime-function-response-mode"] == "streaming"
            assert headers["transfer-encoding"] == "chunked"
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
    def test_an_error(self, message: str):
        told = report(RuntimeError(message), "id-1")
        requests = [
            (Wire(HOST).error(an_invocation(), told), b"/2018-06-01/runtime/invocation/id-1/error"),
            (Wire(HOST).init_error(told), b"/2018-06-01/runtime/init/error"),
            (Wire(HOST).restore_error(told), b"/2018-06-01/runtime/restore/error"),
        ]
        for data, target in requests:
            head, body, _ = parsed(data)
            assert (head.method, head.target) == (b"POST", target)
            assert json.loads(body)["errorMessage"] == message
            assert headers_of(head)["lambda-runtime-function-error-type"] == "Function.RuntimeError"
            assert json.loads(headers_of(head)["lambda-runtime-function-xray-error-cause"])["exceptions"][0]["type"]
            assert ("lambda-runtime-invocation-id" in headers_of(head)) == (b"invocation" in target)

    def test_calls(self):
        head, body, _ = parsed(Wire(HOST).restore_next())
        assert (head.method, head.target, body) == (b"GET", b"/2018-06-01/runtime/restore/next", b"")
        head, body, _ = parsed(Wire(HOST).register_extension("polylambda"))
        assert (head.method, head.target) == (b"POST", b"/2020-01-01/extension/register")
        assert json.loads(body) == {"events": []}
        head, body, _ = parsed(Wire(HOST).extension_next("ext-1"))
        assert (head.method, head.target) == (b"GET", b"/2020-01-01/extension/event/next")
        assert headers_of(head)["lambda-extension-identifier"] == "ext-1"


REQUESTS: dict[str, Callable[[Wire], bytes]] = {
    "next": lambda wire: wire.next(),
    "response": lambda wire: wire.response(an_invocation(), "a/b", 0),
    "error": lambda wire: wire.error(an_invocation(), report(ValueError("no"), "id-1")),
    "stream": lambda wire: wire.stream(an_invocation(), "a/b"),
    "chunk": lambda wire: wire.chunk(b"x"),
    "stream_end": lambda wire: wire.stream_end(),
    "init_error": lambda wire: wire.init_error(report(ValueError("no"))),
    "restore_next": lambda wire: wire.restore_next(),
    "restore_error": lambda wire: wire.restore_error(report(ValueError("no"))),
    "register_extension": lambda wire: wire.register_extension("polylambda"),
    "extension_next": lambda wire: wire.extension_next("ext-1"),
}
CALLS = {"init_error", "restore_next", "restore_error", "register_extension", "extension_next"}
# How to get into a state, and what may be sent in it.
STATES: dict[str, tuple[list[str], set[str]]] = {
    wires.IDLE: ([], {"next", "response", "error", "stream", *CALLS}),
    wires.POLLING: (["next"], set()),
    wires.ANSWERED: (["response"], {"next"}),
    wires.AHEAD: (["response", "next"], set()),
    wires.STREAMING: (["stream"], {"chunk", "stream_end"}),
    wires.ENDED: (["stream", "stream_end"], set()),
    wires.CALLING: (["init_error"], set()),
}


def in_state(state: str) -> Wire:
    wire = Wire(HOST)
    if state is wires.CLOSED:
        wire.close()
    else:
        for step in STATES[state][0]:
            REQUESTS[step](wire)
    assert wire.state is state
    return wire


class TestStates:
    @pytest.mark.parametrize("request_", REQUESTS)
    @pytest.mark.parametrize("state", [*STATES, wires.CLOSED])
    def test_what_may_be_sent_when(self, state: str, request_: str):
        wire = in_state(state)
        if state in STATES and request_ in STATES[state][1]:
            assert REQUESTS[request_](wire)
            return
        with pytest.raises(LocalProtocolError, match=f"a connection that is {state} cannot send"):
            REQUESTS[request_](wire)
        assert wire.state is state

    @pytest.mark.parametrize(
        ("state", "to", "then"),
        [
            (wires.POLLING, POLL, wires.IDLE),
            (wires.ANSWERED, ANSWER, wires.IDLE),
            (wires.AHEAD, ANSWER, wires.POLLING),
            (wires.STREAMING, ANSWER, wires.CLOSED),
            (wires.ENDED, ANSWER, wires.CLOSED),
            (wires.CALLING, CALL, wires.IDLE),
        ],
    )
    @pytest.mark.parametrize("closes", [True, False])
    def test_what_a_reply_is_to(self, state: str, to: str, then: str, closes: bool):
        wire = in_state(state)
        headers = [("Connection", "close")] if closes else []
        assert events_of(wire, [written(400, headers, b"no")]) == [(to, 400, b"no")]
        assert wire.state is (wires.CLOSED if closes else then)

    def test_where_none_is_due(self):
        wire = in_state(wires.IDLE)
        assert events_of(wire, [ACCEPTED]) == [ProtocolError]
        assert wire.state is wires.CLOSED

    def test_when_all_is_over(self):
        assert events_of(in_state(wires.CLOSED), [ACCEPTED]) == []

    @pytest.mark.parametrize("state", [*STATES, wires.CLOSED])
    def test_the_end_of_the_connection(self, state: str):
        """It is a loss when a reply is due, and a good end else."""
        wire = in_state(state)
        assert events_of(wire, [b""]) == ([] if state in (wires.IDLE, wires.CLOSED) else [ConnectionLost])
        assert wire.state is wires.CLOSED

    def test_an_empty_chunk_does_not_end_a_stream(self):
        wire = in_state(wires.STREAMING)
        assert wire.chunk(b"") == b""
        assert wire.state is wires.STREAMING


@given(
    st.lists(st.tuples(st.integers(min_value=1, max_value=40), st.sampled_from([b"", b"\r\n\r\n", b"{}"])), max_size=8)
)
def test_events_are_the_same_whatever_heads_came_before(kinds: list[tuple[int, bytes]]) -> None:
    """Heads are recalled by their length: those of other lengths, and what looks like one's end, are nothing to them."""
    wire = polling()
    for length, end in kinds:
        headers = [("Lambda-Runtime-Aws-Request-Id", "i" * length), *EVENT_HEADERS[2:]]
        payload = written(200, EVENT_HEADERS, b"{}") + end
        event = ("i" * length, "attempt-1", "1700000000000", payload)
        assert events_of(wire, [written(200, headers, payload)]) == [event]
        wire.next()


def adopted() -> Wire:
    wire = Wire(HOST)
    wire.adopt()
    return wire


EVENT = written(200, EVENT_HEADERS, b'{"a": 1}')
THE_EVENT = ("id-1", "attempt-1", "1700000000000", b'{"a": 1}')


class TestAdoption:
    """A connection on which a predecessor's poll is out, and perhaps the reply to its last answer is still to come."""

    def test_a_poll_is_out(self):
        wire = adopted()
        assert wire.state is wires.POLLING
        for send in REQUESTS.values():
            with pytest.raises(LocalProtocolError):
                send(wire)

    @given(st.booleans(), st.booleans(), splits)
    def test_the_reply_to_the_predecessors_answer_is_passed_over(
        self, with_reply: bool, announced: bool, places: list[int]
    ):
        data = (CONTINUE if announced else b"") + (ACCEPTED if with_reply else b"") + EVENT
        wire = adopted()
        assert events_of(wire, cut(data, places)) == [THE_EVENT]
        assert wire.state is wires.IDLE

    def test_one_reply_is_passed_over_and_no_more(self):
        assert events_of(adopted(), [ACCEPTED, ACCEPTED]) == [(POLL, 202, b'{"status":"OK"}\n')]

    def test_only_the_first_poll_is_the_predecessors(self):
        wire = adopted()
        assert events_of(wire, [EVENT]) == [THE_EVENT]
        wire.next()
        assert events_of(wire, [ACCEPTED]) == [(POLL, 202, b'{"status":"OK"}\n')]

    @pytest.mark.parametrize("status", [400, 410])
    def test_a_refused_answer_is_passed_over(self, status: int):
        assert events_of(adopted(), [written(status, [], b"no"), EVENT]) == [THE_EVENT]

    @pytest.mark.parametrize("status", [403, 413, 500])
    @pytest.mark.parametrize("closes", [True, False])
    def test_a_refusal_ends_the_poll(self, status: int, closes: bool):
        headers = [("Connection", "close")] if closes else []
        wire = adopted()
        assert events_of(wire, [written(status, headers, b"no")]) == [(POLL, status, b"no")]
        assert wire.state is (wires.CLOSED if closes else wires.IDLE)

    def test_an_acceptance_that_closes_the_connection_ends_the_poll(self):
        wire = adopted()
        assert events_of(wire, [written(202, [("Connection", "close")], b"")]) == [(POLL, 202, b"")]
        assert wire.state is wires.CLOSED

    @pytest.mark.parametrize("before", [b"", ACCEPTED, ACCEPTED[:20], EVENT[:20]])
    def test_the_end_of_the_connection_is_a_loss(self, before: bytes):
        wire = adopted()
        assert events_of(wire, [*([before] if before else []), b""]) == [ConnectionLost]
        assert wire.state is wires.CLOSED

    def test_afterwards_it_is_a_connection_like_any_other(self):
        wire = adopted()
        assert events_of(wire, [ACCEPTED + EVENT]) == [THE_EVENT]
        for _ in range(3):
            wire.response(Invocation(b"", {"lambda-runtime-aws-request-id": "id-1"}), "application/json", 0)
            wire.next()
            assert events_of(wire, [ACCEPTED, EVENT]) == [(ANSWER, 202, b'{"status":"OK"}\n'), THE_EVENT]
            assert wire.state is wires.IDLE
