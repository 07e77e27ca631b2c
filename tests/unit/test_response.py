"""The rules of a response: what may follow what, and what goes where."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections import UserDict
from collections.abc import Awaitable
from types import GenericAlias
from typing import Any

import pytest

from polylambda import MarshalError, ResponseError, ResponseStream, ResponseWriter, codec
from polylambda.errors import ConnectionLost
from polylambda.report import report
from polylambda.response import DONE, EXPIRED, FINISHED, OPEN, PRELUDE, STREAMING

OCTETS = "application/octet-stream"
HTTP = "application/vnd.awslambda.http-integration-response"
NULS = b"\0" * 8


class Sink:
    """Remembers what was sent; `broken` refuses to begin a stream, `refusing` to go on with one."""

    def __init__(self, *, broken: bool = False, refusing: bool = False) -> None:
        self.sent: list[Any] = []
        self.broken = broken
        self.refusing = refusing

    def answer(self, body: bytes, content_type: str) -> Awaitable[None]:
        self.sent.append((content_type, body))
        return DONE

    def start(self, content_type: str) -> None:
        if self.broken:
            raise ConnectionLost("gone")
        self.sent.append(content_type)

    def send(self, data: bytes) -> Awaitable[None]:
        if self.refusing:
            raise ConnectionLost("gone")
        self.sent.append(data)
        return DONE

    def end(self, report: object) -> Awaitable[None]:
        self.sent.append(report)
        return DONE


def make() -> tuple[ResponseStream, list[Any]]:
    sink = Sink()
    return ResponseStream(sink), sink.sent


# What is sent


def test_finish_alone_is_a_buffered_answer():
    """E1."""
    response, sent = make()
    response.finish("hello")
    assert sent == [(OCTETS, b"hello")]


def test_five_pieces_are_a_stream_in_their_order():
    """E2."""
    response, sent = make()
    for piece in "abcde":
        response.write(piece)
    response.finish()
    assert sent == [OCTETS, b"a", b"b", b"c", b"d", b"e", None]


def test_the_last_piece_may_come_with_the_end():
    response, sent = make()
    response.write(b"a")
    response.finish(b"b")
    assert sent == [OCTETS, b"a", b"b", None]


def test_the_content_type_is_what_it_was_before_the_first_byte():
    response, sent = make()
    response.content_type = "text/plain"
    response.finish(b"")
    assert sent == [("text/plain", b"")]


@pytest.mark.parametrize("content_type", ["text/plain\r\nX: y", "text/plain\0", "Ünicode"])
def test_a_content_type_that_no_header_can_carry_is_refused(content_type):
    response, _ = make()
    with pytest.raises(ValueError, match="a content type is printable ASCII"):
        response.content_type = content_type


@pytest.mark.parametrize("data", ["tea", b"tea", bytearray(b"tea"), memoryview(b"tea")])
def test_bytes_and_text_of_all_kinds(data):
    response, sent = make()
    response.write(data)
    assert sent == [OCTETS, b"tea"]


def test_an_empty_piece_begins_the_stream_and_sends_nothing():
    response, sent = make()
    response.write(b"")
    assert sent == [OCTETS]


@pytest.mark.parametrize("data", [None, 1, {"a": 1}, ["a"]])
def test_anything_else_is_refused_and_changes_nothing(data):
    response, sent = make()
    for step in (response.write, response.finish):
        with pytest.raises(TypeError, match="a response is made of bytes or str, not"):
            step(data)
    assert (sent, response.state) == ([], OPEN)


def test_every_step_can_be_awaited():
    async def steps() -> None:
        response, _ = make()
        await response.write(b"a")
        await response.finish()

    asyncio.run(steps())


# The head of an HTTP response


def head(*arguments: Any, **keywords: Any) -> dict[str, Any]:
    response, sent = make()
    response.start_http(*arguments, **keywords)
    assert sent == []
    response.write(b"")
    kind, data = sent
    assert kind == HTTP
    text, nuls, rest = data.partition(NULS)
    assert (nuls, rest) == (NULS, b"")
    return json.loads(text)


def test_the_head_is_json_then_eight_nuls_then_the_body():
    """E3."""
    response, sent = make()
    response.start_http(418)
    response.write(b"short and stout")
    assert sent == [HTTP, b'{"statusCode": 418}' + NULS + b"short and stout"]
    assert sent[1].count(b"\0") == 8


def test_a_head_has_what_it_was_given_and_nothing_else():
    """E4."""
    assert head(201) == {"statusCode": 201}
    assert head() == {"statusCode": 200}
    assert head(headers={}, cookies=[], multi_value_headers={}) == {"statusCode": 200}
    assert head(headers={"a": "b"}) == {"statusCode": 200, "headers": {"a": "b"}}
    assert head(multi_value_headers={"a": ("b", "c")}) == {"statusCode": 200, "multiValueHeaders": {"a": ["b", "c"]}}
    assert head(cookies=iter(["a=b"])) == {"statusCode": 200, "cookies": ["a=b"]}


def test_slashes_in_a_head_are_not_escaped():
    """E5."""
    response, sent = make()
    response.start_http(headers={"Content-Type": "application/json"})
    response.finish()
    assert b'"application/json"' in sent[1]


def test_a_nul_in_a_head_is_escaped():
    assert head(headers={"a": "\0"})["headers"] == {"a": "\0"}


def test_a_head_that_is_not_json_sends_nothing_and_its_error_is_passed_on():
    """E6."""
    boom = TypeError("no such header")

    class Headers(UserDict):
        def keys(self):
            raise boom

    response, sent = make()
    with pytest.raises(TypeError) as caught:
        response.start_http(headers=Headers({"a": "b"}))
    assert caught.value is boom
    assert (sent, response.state) == ([], OPEN)
    response.start_http(200)


def test_a_head_goes_out_with_the_end_at_the_latest():
    response, sent = make()
    response.start_http(204)
    response.finish()
    assert sent == [HTTP, b'{"statusCode": 204}' + NULS, None]


def test_a_head_comes_once():
    """E7."""
    response, _ = make()
    response.start_http(200)
    with pytest.raises(ResponseError) as caught:
        response.start_http(200)
    assert caught.value.code == "prelude_repeated"
    response.finish()
    assert response.state == FINISHED


def test_a_head_comes_before_the_body():
    """E7."""
    response, _ = make()
    response.write(b"a")
    with pytest.raises(ResponseError) as caught:
        response.start_http(200)
    assert caught.value.code == "prelude_late"
    response.finish()
    assert response.state == FINISHED


# What may not follow what


def test_after_the_end_nothing_can_be_written():
    """E8."""
    response, sent = make()
    response.finish(b"a")
    codes = []
    for step in (lambda: response.write(b"b"), lambda: response.finish(b"b"), response.start_http):
        with pytest.raises(ResponseError) as caught:
            step()
        codes.append(caught.value.code)
    assert codes == ["finished", "answered", "finished"]
    assert sent == [(OCTETS, b"a")]


def test_a_response_kept_past_its_invocation_writes_nowhere():
    """E9."""
    response, sent = make()
    response.write(b"a")
    response.expire()
    writer = ResponseWriter(response, codec.dump)
    for step in (lambda: response.write(b"b"), response.finish, response.start_http, lambda: writer.write(1)):
        with pytest.raises(ResponseError, match="after the invocation was over") as caught:
            step()
        assert caught.value.code == "expired"
    assert sent == [OCTETS, b"a"]


@pytest.mark.parametrize("steps", list(itertools.product(["start_http", "write", "finish"], repeat=4)))
def test_no_order_of_steps_breaks_a_response(steps):
    """A step is taken, or refused by a `ResponseError` and changes nothing; what is sent is always well-formed."""
    response, sent = make()
    for step in steps:
        before = (response.state, list(sent))
        try:
            getattr(response, step)(*([b"."] if step == "write" else []))
        except ResponseError:
            assert (response.state, sent) == before
    kinds = [type(each).__name__ for each in sent]
    assert kinds.count("tuple") <= 1
    assert kinds.count("str") <= 1
    assert sent.count(None) <= 1
    if None in sent:
        assert sent[-1] is None
    assert (response.state == FINISHED) == ("finish" in steps)


# Typed responses


def test_a_writer_answers_once():
    response, sent = make()
    writer: ResponseWriter[Any] = ResponseWriter(response, codec.dump)
    writer.write({"a": 1})
    with pytest.raises(ResponseError) as caught:
        writer.write({"a": 2})
    assert caught.value.code == "answered"
    assert sent == [("application/json", b'{"a":1}')]


def test_a_value_that_cannot_be_encoded_leaves_the_writer_as_it_was():
    response, sent = make()
    writer: ResponseWriter[Any] = ResponseWriter(response, codec.dump)
    with pytest.raises(MarshalError):
        writer.write({1, 2})
    writer.write([1, 2])
    assert sent == [("application/json", b"[1,2]")]


def test_a_writer_of_a_type_is_still_the_writer():
    annotation: Any = ResponseWriter[int]
    assert isinstance(annotation, GenericAlias)
    assert (annotation.__origin__, annotation.__args__) == (ResponseWriter, (int,))


# For the runtime


def test_a_kept_result_can_be_replaced():
    response, sent = make()
    response.give(b"1", "application/json")
    response.body = "two"
    assert (response.body, response.state, sent) == (b"two", FINISHED, [])
    with pytest.raises(TypeError):
        response.body = None  # pyright: ignore[reportAttributeAccessIssue]


def test_there_must_be_a_result_to_replace():
    response, _ = make()
    with pytest.raises(ResponseError, match="there is no buffered result to replace"):
        response.body = b"1"


def test_a_kept_result_can_be_taken_back():
    response, _ = make()
    response.give(b"1", "application/json")
    response.take_back()
    assert (response.body, response.state) == (None, OPEN)


def test_what_was_sent_cannot_be_taken_back():
    response, _ = make()
    response.finish(b"1")
    response.take_back()
    assert response.state == FINISHED


def test_a_stream_is_cut_short_with_the_error():
    response, sent = make()
    response.write(b"a")
    told = report(ValueError("bad"))
    response.abort(told)
    assert sent == [OCTETS, b"a", told]


@pytest.mark.parametrize("step", ["write", "finish"])
def test_a_stream_that_could_not_begin_can_still_be_answered_with_an_error(step):
    response = ResponseStream(Sink(broken=True))
    response.start_http(200)
    with pytest.raises(ConnectionLost):
        getattr(response, step)(b"a")
    assert response.state == PRELUDE


def test_a_stream_that_broke_has_begun():
    response = ResponseStream(Sink(refusing=True))
    with pytest.raises(ConnectionLost):
        response.write(b"a")
    assert response.state == STREAMING


def test_a_response_says_where_it_stands():
    response, _ = make()
    assert repr(response) == "<ResponseStream open>"
    assert repr(ResponseWriter(response, codec.dump)) == "<ResponseWriter open>"
    response.expire()
    assert EXPIRED in repr(response)
