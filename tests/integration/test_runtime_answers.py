"""A whole runtime, blocking and asynchronous: what its callers get for what its handler does."""

from __future__ import annotations

import asyncio
import base64
import gc
import json
import logging
import os
import re
import threading
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from polylambda import LambdaContext, ResponseError, ResponseStream, ResponseWriter
from tests.environment import PATIENCE, Environment, eventually, nothing

JSON = "application/json"
OCTETS = "application/octet-stream"
HTTP = "application/vnd.awslambda.http-integration-response"


@pytest.fixture
def environment() -> Iterator[Environment]:
    with Environment() as environment:
        yield environment


@pytest.fixture(params=["asyncio", "uvloop"])
def loops(request: pytest.FixtureRequest) -> dict[str, str]:
    return {"POLYLAMBDA_LOOP": request.param}


both = pytest.mark.parametrize("kind", ["def", "async def"])


def async_of(function: Any) -> Any:
    """The `async def` handler that does what a `def` handler does, step by step."""

    async def handler(event, response: ResponseStream, context):
        await asyncio.sleep(0)
        steps = function(event, response, context)
        if steps is not None:
            for step in steps:
                await step

    return handler


def handler_of(function: Any, kind: str) -> Any:
    """A handler that takes the raw response; `function` yields the steps that must be awaited."""
    if kind == "async def":
        return async_of(function)

    def handler(event, response: ResponseStream, context):
        for _ in function(event, response, context) or ():
            pass

    return handler


# Buffered


def test_a_result_is_the_answer(environment, loops):
    async def handler(event, context):
        await asyncio.sleep(0)
        return {"got": event, "id": context.aws_request_id}

    with environment.running(handler, **loops):
        answer = environment.invoke(b'{"a": 1}')
    assert answer.json == {"got": {"a": 1}, "id": answer.request_id}
    assert (answer.content_type, answer.streamed, answer.outcome) == (JSON, False, "success")


def test_none_is_null(environment):
    """E17."""
    with environment.running(lambda event, context: None):
        answer = environment.invoke()
    assert (answer.body, answer.content_type) == (b"null", JSON)


@both
def test_finish_alone_is_not_streamed(environment, kind):
    """E1."""

    def steps(event, response, context):
        yield response.finish("hello")

    with environment.running(handler_of(steps, kind)):
        answer = environment.invoke()
    assert (answer.body, answer.streamed, answer.content_type) == (b"hello", False, OCTETS)


@both
def test_thousand_invocations_follow_each_other(environment, kind):
    def blocking(event, context):
        return event + 1

    async def asynchronous(event, context):
        return event + 1

    with environment.running(blocking if kind == "def" else asynchronous):
        assert [environment.invoke(str(number).encode()).json for number in range(200)] == list(range(1, 201))


@both
def test_five_megabytes_go_there_and_back(environment, kind):
    """E19: the largest that the platform takes, or a refusal that says so."""

    def blocking(event: bytes, context) -> bytes:
        return event

    async def asynchronous(event: bytes, context) -> bytes:
        return event

    limit = 6 * 1024 * 1024 + 100
    with environment.running(blocking if kind == "def" else asynchronous):
        for size in (5_999_999, 6_000_000, limit):
            assert len(environment.invoke(b"x" * size).body) == size
        refused = environment.invoke(b"x" * (limit + 1))
        assert (refused.outcome, refused.error_type) == ("error", "Function.ResponseSizeTooLarge")
        assert environment.invoke(b"x").body == b"x"


# Streamed


@both
def test_five_writes_are_one_stream(environment, kind):
    """E2."""

    def steps(event, response, context):
        for piece in "abcde":
            yield response.write(piece)
        yield response.finish()

    with environment.running(handler_of(steps, kind)):
        answer = environment.invoke()
        assert (answer.body, answer.streamed, answer.outcome) == (b"abcde", True, "success")
        assert environment.invoke().body == b"abcde"


@both
def test_the_head_of_an_http_response(environment, kind):
    """E3."""

    def steps(event, response, context):
        response.start_http(418, {"X-Tea": "Earl Grey/hot"}, ["pot=hot"])
        yield response.write(b"short")
        yield response.finish(b" and stout")

    with environment.running(handler_of(steps, kind)):
        answer = environment.invoke()
    assert (answer.content_type, answer.streamed) == (HTTP, True)
    head, _, body = answer.body.partition(b"\0" * 8)
    assert json.loads(head) == {"statusCode": 418, "headers": {"X-Tea": "Earl Grey/hot"}, "cookies": ["pot=hot"]}
    assert body == b"short and stout"
    assert answer.body.count(b"\0") == 8


def test_pieces_arrive_while_the_handler_runs(environment):
    gate = threading.Semaphore(0)

    def handler(event, context):
        for number in range(3):
            yield f"{number}"
            assert gate.acquire(timeout=PATIENCE)

    with environment.running(handler), environment.stream() as stream:
        for number in range(3):
            assert next(stream) == str(number).encode()
            gate.release()
        assert list(stream) == []


def test_pieces_of_an_asynchronous_generator_arrive_while_it_runs(environment, loops):
    gate = threading.Semaphore(0)

    async def handler(event, context):
        for number in range(3):
            yield f"{number}"
            assert await asyncio.to_thread(gate.acquire, timeout=PATIENCE)

    with environment.running(handler, **loops), environment.stream() as stream:
        for number in range(3):
            assert next(stream) == str(number).encode()
            gate.release()
        assert list(stream) == []


@both
def test_a_generator_is_held_back_by_a_slow_caller(environment, kind):
    """It is not pulled ahead by more than what the buffers on the way hold."""
    piece = b"x" * 1024 * 1024
    total = 64
    pulled = []

    def blocking(event, context):
        for number in range(total):
            pulled.append(number)
            yield piece

    async def asynchronous(event, context):
        for number in range(total):
            pulled.append(number)
            yield piece

    with environment.running(blocking if kind == "def" else asynchronous), environment.stream() as stream:
        received = len(next(stream))
        # As far as it gets while nobody reads: what does not move any more, stands.
        before = -1
        while before != len(pulled):
            before = len(pulled)
            threading.Event().wait(0.2)
        assert before < total / 2
        received += sum(map(len, stream))
        assert (received, len(pulled)) == (total * len(piece), total)


# Errors


class Bad(Exception):
    pass


@both
def test_an_error_before_the_first_byte(environment, kind):
    """E12."""

    def steps(event, response, context):
        response.start_http(200)
        raise {"bad": Bad, "key": KeyError}[event](event)
        yield

    with environment.running(handler_of(steps, kind)):
        bad, key = environment.invoke(b'"bad"'), environment.invoke(b'"key"')
    assert (bad.outcome, bad.streamed, bad.content_type) == ("error", False, JSON)
    assert (bad.json["errorType"], bad.json["errorMessage"], bad.error_type) == ("Bad", "bad", "Function.Bad")
    assert (key.json["errorType"], key.json["errorMessage"]) == ("KeyError", "'key'")
    assert bad.json["requestId"] == bad.request_id


@both
def test_an_error_after_the_first_byte(environment, kind):
    """E13."""

    def steps(event, response, context):
        yield response.write(b"begun")
        raise Bad("half way")

    with environment.running(handler_of(steps, kind)):
        answer = environment.invoke()
        assert (answer.body, answer.streamed, answer.outcome) == (b"begun", True, "error")
        assert answer.error_type == "Function.Bad"
        assert json.loads(answer.error_body)["errorMessage"] == "half way"
        assert environment.invoke().body == b"begun"


@both
def test_the_message_of_an_error_survives_whatever_is_in_it(environment, kind):
    """E15."""
    message = 'line\nbreak\ttab\0nul"quote\\backslash 🫖 \ud800'

    def steps(event, response, context):
        raise Bad(message)

    with environment.running(handler_of(steps, kind)):
        assert environment.invoke().json["errorMessage"] == message


@both
def test_an_event_that_is_not_what_the_handler_takes(environment, kind):
    """E18."""

    @dataclass
    class Order:
        item: str

    def blocking(event, context):
        raise AssertionError("it was called")

    async def asynchronous(event, context):
        raise AssertionError("it was called")

    handler = blocking if kind == "def" else asynchronous
    handler.__annotations__ = {"event": Order}
    with environment.running(handler):
        answer = environment.invoke(b"{")
        assert answer.json["errorType"] == "Runtime.UnmarshalError"
        answer = environment.invoke(b'{"item": 1}')
        assert answer.json["errorType"] == "ValidationError"
        assert answer.json["errorMessage"].startswith("event.item")


def test_a_result_that_is_not_json(environment):
    with environment.running(lambda event, context: {1}):
        answer = environment.invoke()
    assert answer.json["errorType"] == "Runtime.MarshalError"


@both
def test_a_handler_that_writes_nothing(environment, kind):
    """E10."""

    def steps(event, response, context):
        if event:
            yield response.finish(b"something")

    with environment.running(handler_of(steps, kind)):
        answer = environment.invoke(b"0")
        assert answer.json["errorType"] == "ResponseError"
        assert re.search("handler .*handler ended without writing a response", answer.json["errorMessage"])
        assert environment.invoke(b"1").body == b"something"


@both
def test_a_handler_that_does_not_finish(environment, kind):
    """E11."""

    def steps(event, response, context):
        yield response.write(b"begun")

    with environment.running(handler_of(steps, kind)):
        for _ in range(2):
            answer = environment.invoke()
            assert (answer.body, answer.outcome) == (b"begun", "success")


@both
def test_steps_out_of_order_are_errors_of_the_step_alone(environment, kind):
    """E7, E8."""

    def steps(event, response, context):
        codes = []

        def refused(step: Any, *arguments: Any) -> None:
            try:
                step(*arguments)
            except ResponseError as error:
                codes.append(error.code)

        response.start_http(200)
        refused(response.start_http)
        yield response.write(b"a")
        refused(response.start_http)
        yield response.finish(b"b")
        refused(response.write, b"c")
        refused(response.finish)
        refused(response.finish, b"d")
        context.state.append(codes)

    codes: list[Any] = []

    class State:
        def __enter__(self):
            return codes

        def __exit__(self, *outcome):
            pass

    with environment.running(handler_of(steps, kind), lifespan=State):
        for _ in range(2):
            assert environment.invoke().body.endswith(b"\0ab")
    assert codes == [["prelude_repeated", "prelude_late", "finished", "answered", "answered"]] * 2


@both
def test_a_response_kept_past_its_invocation_writes_nowhere(environment, kind):
    """E9."""
    kept: list[ResponseStream] = []
    codes = []

    def steps(event, response, context):
        for each in kept:
            for step in (each.finish, each.start_http, lambda each=each: each.write(b"evil")):
                try:
                    step()
                except ResponseError as error:
                    codes.append(error.code)
        kept.append(response)
        yield response.write(b"good")

    with environment.running(handler_of(steps, kind)):
        for _ in range(3):
            assert environment.invoke().body == b"good"
    assert codes == ["expired"] * 9


# Work after the answer


def test_a_def_handler_goes_on_after_its_answer(environment):
    gate = threading.Event()
    order: list[str] = []

    def handler(event: int, response: ResponseWriter[int], context: LambdaContext):
        response.write(event)
        if event == 1:
            assert gate.wait(PATIENCE)
        order.append(f"{event} ended")

    with environment.running(handler):
        assert environment.invoke(b"1").body == b"1"
        second = environment.begin(b"2")
        assert order == []  # answered before it ended
        gate.set()
        assert second.result(PATIENCE).body == b"2"  # polled after it ended
    assert order == ["1 ended", "2 ended"]


def test_an_async_def_handler_goes_on_after_its_answer(environment, loops):
    gate = threading.Event()
    order: list[str] = []

    async def handler(event: int, response: ResponseWriter[int], context: LambdaContext):
        await response.write(event)
        if event == 1:
            assert await asyncio.to_thread(gate.wait, PATIENCE)
        order.append(f"{event} ended")

    with environment.running(handler, **loops):
        assert environment.invoke(b"1").body == b"1"
        second = environment.begin(b"2")
        assert order == []
        gate.set()
        assert second.result(PATIENCE).body == b"2"
    assert order == ["1 ended", "2 ended"]


@both
@pytest.mark.parametrize("streamed", [False, True])
def test_a_failure_after_the_answer_is_logged(environment, caplog, kind, streamed):
    """E14."""

    def steps(event, response, context):
        if streamed:
            yield response.write(b"ans")
            yield response.finish(b"wer")
        else:
            yield response.finish(b"answer")
        raise Bad("in the background")

    with environment.running(handler_of(steps, kind)):
        answers = [environment.invoke() for _ in range(2)]
    assert [answer.body for answer in answers] == [b"answer"] * 2
    records = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert [record.getMessage() for record in records] == ["the handler failed after its answer"] * 2
    assert [record.__dict__["aws_request_id"] for record in records] == [answer.request_id for answer in answers]
    assert all(record.exc_info is not None and record.exc_info[0] is Bad for record in records)


# The platform refuses


@both
def test_a_generator_is_closed_when_the_platform_takes_no_more(environment, caplog, kind):
    """A timeout in the middle of a stream; the next invocation is as good as any."""
    closed = threading.Event()

    def blocking(event, context):
        try:
            while event:
                yield b"x" * 65536
            yield b"short"
        finally:
            closed.set()

    async def asynchronous(event, context):
        try:
            while event:
                yield b"x" * 65536
            yield b"short"
        finally:
            closed.set()

    with environment.running(blocking if kind == "def" else asynchronous):
        with environment.stream(b"1", timeout=0.2) as stream:
            for _ in stream:
                pass
        assert stream.response.error_type == "Sandbox.Timedout"
        assert closed.wait(PATIENCE)
        closed.clear()
        assert environment.invoke(b"0").body == b"short"
    lost = [record for record in caplog.records if "the stream could not be sent to its end" in record.getMessage()]
    assert [record.levelno for record in lost] == [logging.WARNING]


@both
def test_an_answer_that_comes_too_late_does_no_harm(environment, caplog, kind):
    gate = threading.Event()

    def blocking(event, context):
        if event:
            assert gate.wait(PATIENCE)
        return event

    async def asynchronous(event, context):
        if event:
            assert await asyncio.to_thread(gate.wait, PATIENCE)
        return event

    with environment.running(blocking if kind == "def" else asynchronous):
        assert environment.invoke(b"1", timeout=0.05).error_type == "Sandbox.Timedout"
        gate.set()
        assert environment.invoke(b"0").body == b"0"
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


# Cleaning up


def test_the_temporary_directory_is_gone_with_the_answer(environment):
    def handler(event, context):
        (context.tmp_dir / "file").write_text("x")
        return str(context.tmp_dir)

    with environment.running(handler):
        assert not os.path.exists(environment.invoke().json)


def test_an_invocation_leaves_no_garbage(environment):
    """What an invocation held is free when the next one comes, although an error's traceback held it as well."""

    class Large:
        pass

    alive: list[weakref.ref[Large]] = []

    def handler(event, context):
        large = Large()
        alive.append(weakref.ref(large))
        raise Bad(str([each() for each in alive[:-1]]))

    gc.disable()
    try:
        with environment.running(handler):
            environment.invoke()
            assert environment.invoke().json["errorMessage"] == "[None]"
    finally:
        gc.enable()


@both
def test_the_collector_leaves_alone_what_was_made_at_start(environment, kind):
    def blocking(event, context):
        return gc.get_freeze_count()

    async def asynchronous(event, context):
        return gc.get_freeze_count()

    with environment.running(blocking if kind == "def" else asynchronous):
        assert environment.invoke().json > 1000
    assert gc.get_freeze_count() == 0


@both
def test_connections_are_not_left_behind(environment, kind):
    """Neither those of streams, each of which uses one up, nor that of the internal extension."""

    def blocking(event, context):
        yield b"a"

    async def asynchronous(event, context):
        yield b"a"

    with environment.running(blocking if kind == "def" else asynchronous, lifespan=nothing):
        for _ in range(5):
            environment.invoke()
        eventually(lambda: environment.connections == 2)
    eventually(lambda: environment.connections == 0)


def test_a_function_as_people_have_them_runs_as_it_is(environment):
    def handler(event, context):
        body = base64.b64decode(event["body"]) if event["isBase64Encoded"] else event["body"].encode()
        return {"statusCode": 200, "body": base64.b64encode(body).decode(), "isBase64Encoded": True}

    with environment.running(handler):
        answer = environment.invoke(b'{"body": "dGVh", "isBase64Encoded": true}')
    assert answer.json == {"statusCode": 200, "body": "dGVh", "isBase64Encoded": True}
