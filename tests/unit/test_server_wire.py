from __future__ import annotations

import itertools
import json
from collections.abc import Iterable
from typing import Any

import h11
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from polylambda.server.errors import Refusal
from polylambda.server.invocation import Invocation
from polylambda.server.ledger import Attempt
from polylambda.server.wire import ACCEPTED, MAX_HEAD, Data, EndOfRequest, Reply, RequestHead, State, Wire

POLL = b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: h\r\n\r\n"
ANSWER = b"POST /2018-06-01/runtime/invocation/x/response HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello"


class Request:
    """A request as the wire tells it."""

    def __init__(self, head: RequestHead) -> None:
        self.head = head
        self.body = b""
        self.trailers: dict[str, str] | None = None

    @property
    def summary(self) -> tuple[str, str, bytes, dict[str, str] | None]:
        return self.head.method, self.head.path, self.body, self.trailers


def take(wire: Wire, requests: list[Request]) -> bool:
    """Take one event; False when there is none."""
    event = wire.next_event()
    match event:
        case RequestHead():
            requests.append(Request(event))
        case Data(data=data):
            assert data, "an empty piece says nothing"
            requests[-1].body += data
        case EndOfRequest(data=data, trailers=trailers):
            requests[-1].body += data
            requests[-1].trailers = trailers
        case None:
            return False
    return True


def converse(pieces: Iterable[bytes]) -> tuple[list[Request], Wire, Refusal | None]:
    """Feed `pieces`, accept every whole request, stop at the first refusal."""
    wire, requests, steps = Wire(), [], 0
    for piece in pieces:
        wire.receive(piece)
        while True:
            try:
                more = take(wire, requests)
            except Refusal as refusal:
                check_last_reply(wire, refusal)
                return requests, wire, refusal
            if wire.state is State.REPLY:
                wire.reply(ACCEPTED)
            elif not more:
                break
            steps += 1
            assert steps < 100_000, "it does not come to an end"
    return requests, wire, None


def check_last_reply(wire: Wire, refusal: Refusal) -> None:
    assert b"connection: close" in wire.reply(Reply.refusing(refusal), last=refusal.fatal).lower()
    assert wire.closing


def split(data: bytes, cuts: Iterable[int]) -> list[bytes]:
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[start:end] for start, end in itertools.pairwise(places)]


CUTS = st.lists(st.integers(0, 10_000), max_size=12)


# What a client sends


def test_a_poll() -> None:
    (request,), wire, refusal = converse([POLL])
    assert refusal is None
    assert request.summary == ("GET", "/2018-06-01/runtime/invocation/next", b"", {})
    assert wire.state is State.HEAD


def test_nothing_comes_behind_a_request_before_its_reply() -> None:
    wire, requests = Wire(), []
    wire.receive(ANSWER + POLL)
    while take(wire, requests):
        pass
    assert [request.summary[0] for request in requests] == ["POST"]
    assert wire.state is State.REPLY
    assert wire.buffered == len(POLL)
    wire.reply(ACCEPTED)
    while take(wire, requests):
        pass
    assert [request.summary[0] for request in requests] == ["POST", "GET"]


@given(CUTS)
def test_a_pipelined_answer_and_poll_however_they_are_split(cuts: list[int]) -> None:
    requests, wire, refusal = converse(split((ANSWER + POLL) * 3, cuts))
    assert refusal is None
    assert [request.summary[::2] for request in requests] == [("POST", b"hello"), ("GET", b"")] * 3
    assert wire.state is State.HEAD
    assert wire.buffered == 0


def test_the_same_poll_again_and_again_is_the_same_to_us() -> None:
    other = POLL.replace(b"Host: h", b"Host: other")
    requests, _, _ = converse([POLL, POLL, other, POLL])
    assert [request.head.headers["host"] for request in requests] == ["h", "h", "other", "h"]


def test_an_empty_line_before_a_request_is_overlooked() -> None:
    requests, _, refusal = converse([b"\r\n" + POLL, b"\r", b"\n" + POLL])
    assert refusal is None
    assert [request.summary[0] for request in requests] == ["GET", "GET"]


def test_bodies_that_are_whole_and_bodies_that_are_not_may_follow_each_other() -> None:
    requests, _, _ = converse([POLL, ANSWER[:-2], ANSWER[-2:], POLL, ANSWER, ANSWER[:-1], ANSWER[-1:], ANSWER, POLL])
    bodies = [request.body for request in requests]
    assert bodies == [b"", b"hello", b"", b"hello", b"hello", b"hello", b""]


def test_a_query_string_is_no_part_of_the_path() -> None:
    (request,), _, _ = converse([b"GET /ping?x=1 HTTP/1.1\r\nHost: h\r\n\r\n"])
    assert request.head.path == "/ping"


TOKENS = st.text("abcdefghijklmnopqrstuvwxyzABC0123456789-_", min_size=1, max_size=20).map(lambda name: f"x-{name}")
VALUES = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=50)
HEADERS = st.lists(st.tuples(TOKENS, VALUES), max_size=6)
BODIES = st.lists(st.binary(max_size=300), max_size=5)


@given(headers=HEADERS, body=BODIES, trailers=HEADERS, chunked=st.booleans(), cuts=CUTS)
def test_reads_what_h11_writes(
    headers: list[tuple[str, str]], body: list[bytes], trailers: list[tuple[str, str]], chunked: bool, cuts: list[int]
) -> None:
    client = h11.Connection(h11.CLIENT)
    framing = ("transfer-encoding", "chunked") if chunked else ("content-length", str(sum(map(len, body))))
    sent = client.send(h11.Request(method="POST", target="/a", headers=[("host", "h"), *headers, framing])) or b""
    for piece in body:
        sent += client.send(h11.Data(data=piece)) or b""
    sent += client.send(h11.EndOfMessage(headers=trailers if chunked else [])) or b""

    requests, wire, refusal = converse(split(sent, cuts))

    assert refusal is None
    (request,) = requests
    assert request.summary == ("POST", "/a", b"".join(body), joined(trailers) if chunked else {})
    assert joined(headers).items() <= request.head.headers.items()
    assert wire.state is State.HEAD


def joined(fields: list[tuple[str, str]]) -> dict[str, str]:
    """The fields as we keep them: lower case, several of a name joined."""
    result: dict[str, str] = {}
    for name, value in fields:
        key = name.lower()
        result[key] = f"{result[key]}, {value}" if key in result else value
    return result


@given(st.lists(st.binary(max_size=200), max_size=8))
@example([b"\r\n" * 100])
@example([b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"])
def test_garbage_is_refused_or_waited_for_but_never_more_than_that(pieces: list[bytes]) -> None:
    converse([*pieces, b""])


FRAGMENTS = st.sampled_from(
    [
        b"GET / HTTP/1.1\r\n",
        b"POST /a HTTP/1.1\r\n",
        b"Host: h\r\n",
        b"Content-Length: 3\r\n",
        b"Content-Length: 4\r\n",
        b"Content-Length: -1\r\n",
        b"Content-Length: 99999999999999999999\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: gzip\r\n",
        b"Expect: 100-continue\r\n",
        b"Connection: close\r\n",
        b"\r\n",
        b"\n",
        b"3\r\nabc\r\n",
        b"0\r\n",
        b"zz\r\n",
        b"abc",
        b" folded\r\n",
        b"\0",
        b"x: \xff\r\n",
    ]
)


@given(st.lists(FRAGMENTS, max_size=12), CUTS, st.booleans())
def test_almost_http_is_read_refused_or_waited_for(fragments: list[bytes], cuts: list[int], end: bool) -> None:
    pieces = split(b"".join(fragments), cuts)
    _, wire, refusal = converse([*pieces, b""] if end else pieces)
    if end and refusal is None:
        assert wire.state in (State.HEAD, State.OVER), "the end of the input leaves nothing half done"


@given(st.sampled_from([POLL, ANSWER, POLL + ANSWER]), st.integers(1, 200), CUTS)
def test_what_breaks_off_is_refused_once_it_has_begun(data: bytes, missing: int, cuts: list[int]) -> None:
    cut = data[:-missing]
    requests, wire, refusal = converse([*split(cut, cuts), b""])
    whole = cut in (b"", POLL)
    assert (refusal is None) == whole
    if refusal is not None:
        assert (refusal.status, refusal.error_type) == (400, "TruncatedHTTPRequest")
        assert wire.closing
    assert len(requests) <= 2


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET / HTTP/2.0\r\n\r\n", 400),
        (b"GET  / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\na: b\nc: d\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 1, 2\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nnot hex\r\n", 400),
        (b"GET / HTTP/1.1\r\na: " + b"b" * MAX_HEAD + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\na: " + b"b" * MAX_HEAD, 431),
    ],
)
def test_what_is_not_http_is_refused_and_the_connection_ends(sent: bytes, status: int) -> None:
    _, wire, refusal = converse([sent])
    assert refusal is not None
    assert refusal.status == status
    assert wire.closing
    wire.receive(POLL)
    assert wire.next_event() is None


def test_a_head_of_nearly_a_mebibyte_is_read() -> None:
    (request,), _, refusal = converse([b"GET / HTTP/1.1\r\na: " + b"b" * (MAX_HEAD - 100) + b"\r\n\r\n"])
    assert refusal is None
    assert len(request.head.headers["a"]) == MAX_HEAD - 100


def test_a_client_that_waits_to_send_its_body_is_known() -> None:
    wire = Wire()
    wire.receive(b"POST / HTTP/1.1\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
    head = wire.next_event()
    assert isinstance(head, RequestHead)
    assert head.expects_continue
    assert wire.next_event() is None
    assert wire.state is State.BODY


# What we say


def heard(sent: bytes, target: str = "/", method: str = "POST") -> tuple[int, dict[bytes, bytes], bytes]:
    """Our reply as h11 understands it: nothing may be left over."""
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method=method, target=target, headers=[("host", "h"), ("content-length", "0")]))
    client.send(h11.EndOfMessage())
    client.receive_data(sent)
    head: Any = client.next_event()
    body = b""
    while type(event := client.next_event()) is h11.Data:
        body += bytes(event.data)
    assert type(event) is h11.EndOfMessage
    assert client.trailing_data == (b"", False)
    return head.status_code, dict(head.headers.raw_items()), body


def asked(sent: bytes = ANSWER) -> Wire:
    """A wire that owes a reply."""
    wire = Wire()
    wire.receive(sent)
    while wire.next_event() is not None:
        pass
    return wire


def test_accepted() -> None:
    status, headers, body = heard(asked().reply(ACCEPTED))
    assert (status, body) == (202, b'{"status":"OK"}\n')
    assert b"Connection" not in headers


def test_a_refusal_keeps_the_connection_unless_it_says_otherwise() -> None:
    refusal = Refusal(400, "InvalidRequestID", "Invalid request ID")
    wire = asked()
    status, headers, body = heard(wire.reply(Reply.refusing(refusal)))
    assert status == 400
    assert json.loads(body) == {"errorMessage": "Invalid request ID", "errorType": "InvalidRequestID"}
    assert headers[b"Content-Type"] == b"application/json"
    assert wire.state is State.HEAD
    wire = asked()
    _, headers, _ = heard(wire.reply(Reply.refusing(refusal), last=True))
    assert headers[b"Connection"] == b"close"
    assert wire.state is State.OVER


def test_a_reply_in_the_middle_of_a_request_is_the_last() -> None:
    wire = Wire()
    wire.receive(b"POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nhal")
    while wire.next_event() is not None:
        pass
    _, headers, _ = heard(wire.reply(ACCEPTED))
    assert headers[b"Connection"] == b"close"
    assert wire.state is State.CUT
    wire.receive(b"f of it" + POLL)
    assert wire.next_event() is None
    assert wire.buffered == 0


@pytest.mark.parametrize(
    "sent",
    [
        ANSWER.replace(b"Host: h", b"Connection: close"),
        ANSWER.replace(b"HTTP/1.1", b"HTTP/1.0"),
        ANSWER.replace(b"HTTP/1.1", b"HTTP/1.0").replace(b"Host: h", b"Connection: keep-alive"),
    ],
)
def test_who_asks_for_the_end_of_the_connection_gets_it(sent: bytes) -> None:
    wire = asked(sent)
    _, headers, _ = heard(wire.reply(ACCEPTED))
    assert headers[b"Connection"] == b"close"
    assert wire.state is State.OVER


def test_an_invocation_with_everything() -> None:
    invocation = Invocation(
        payload=b"\x00\xff",
        content_type="image/png",
        request_id="the-id",
        timeout=2.0,
        invoked_function_arn="arn",
        trace_id="Root=1;Sampled=1",
        client_context='{\r\n\t"custom": {"a": "\u00fc\x7f"}\n}',
        identity='{"cognitoIdentityId": "c"}',
        tenant_id="blue",
    )
    sent = asked(POLL).deliver(Attempt(invocation, "the-attempt", 0.0, 100.0))
    status, headers, body = heard(b"".join(sent), method="GET")
    assert (status, body) == (200, b"\x00\xff")
    assert headers == {
        b"Content-Type": b"image/png",
        b"Lambda-Runtime-Aws-Request-Id": b"the-id",
        b"Lambda-Runtime-Invocation-Id": b"the-attempt",
        b"Lambda-Runtime-Deadline-Ms": b"102000",
        b"Lambda-Runtime-Invoked-Function-Arn": b"arn",
        b"Lambda-Runtime-Trace-Id": b"Root=1;Sampled=1",
        b"Lambda-Runtime-Client-Context": '{   "custom": {"a": "\u00fc\\u007f"} }'.encode(),
        b"Lambda-Runtime-Cognito-Identity": b'{"cognitoIdentityId": "c"}',
        b"Lambda-Runtime-Aws-Tenant-Id": b"blue",
        b"Content-Length": b"2",
    }
    assert json.loads(headers[b"Lambda-Runtime-Client-Context"]) == json.loads(invocation.client_context)


def test_absent_metadata_is_empty_except_the_tenant() -> None:
    sent = asked(POLL).deliver(Attempt(Invocation(payload=b"{}"), "the-attempt", 0.0, 100.0))
    _, headers, _ = heard(b"".join(sent), method="GET")
    assert headers[b"Lambda-Runtime-Client-Context"] == headers[b"Lambda-Runtime-Cognito-Identity"] == b""
    assert b"Lambda-Runtime-Aws-Tenant-Id" not in headers
