from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
from dataclasses import dataclass
from datetime import date

import pytest

from polylambda import (
    ConfigurationError,
    LambdaContext,
    LambdaRuntime,
    PolylambdaError,
    ResponseError,
    ResponseStream,
    ResponseWriter,
    ValidationError,
    current_context,
)
from polylambda.context import CURRENT
from polylambda.testing import HandlerClient, make_context


@dataclass
class Order:
    item: str
    count: int


# Every shape gives its result


def test_def():
    def handler(event, context):
        return {"got": event, "function": context.function_name}

    result = HandlerClient(handler).invoke({"a": 1})
    assert result.value == {"got": {"a": 1}, "function": "test-function"}
    assert (result.answered, result.streamed, result.content_type) == (True, False, "application/json")
    assert (result.error, result.exception) == (None, None)


def test_async_def():
    async def handler(event, context):
        await asyncio.sleep(0)
        return current_context().aws_request_id

    context = make_context(request_id="id-1")
    assert HandlerClient(handler).invoke({}, context=context).value == "id-1"
    assert CURRENT.get() is None


def test_def_that_returns_a_coroutine():
    async def inner(event):
        return event

    def handler(event, context):
        return inner(event)

    assert HandlerClient(handler).invoke([1, 2]).value == [1, 2]


def test_generator():
    def handler(event, context):
        yield "one "
        yield b"two"

    result = HandlerClient(handler).invoke()
    assert result.chunks == [b"one ", b"two"]
    assert result.text == "one two"
    assert result.streamed
    assert result.answered


def test_async_generator():
    async def handler(event, context):
        for number in range(event["count"]):
            await asyncio.sleep(0)
            yield str(number)

    assert HandlerClient(handler).invoke({"count": 3}).chunks == [b"0", b"1", b"2"]


def test_object_with_a_handle_method():
    class Greeter:
        def __init__(self, greeting):
            self.greeting = greeting

        def handle(self, event, context):
            return f"{self.greeting} {event}"

    assert HandlerClient(Greeter("Hello")).invoke("Ada").value == "Hello Ada"


def test_bytes_event_is_the_payload_as_it_is():
    def handler(event: bytes, context):
        return event[::-1]

    result = HandlerClient(handler).invoke(b"\x00\x01")
    assert result.body == b"\x01\x00"
    assert result.content_type == "application/unknown"


def test_payload_that_is_not_json_by_its_content_type():
    def handler(event, context):
        return {"type": type(event).__name__}

    context = make_context(content_type="text/plain")
    assert HandlerClient(handler).invoke(b"{}", context=context).value == {"type": "bytes"}


def test_event_is_an_empty_object_unless_given():
    assert HandlerClient(lambda event, context: event).invoke().value == {}
    assert HandlerClient(lambda event, context: event).invoke(None).value is None


# Types


def test_typed_event_and_result():
    def handler(event: Order, context: LambdaContext) -> Order:
        return Order(event.item, event.count + 1)

    client = HandlerClient(handler)
    assert client.invoke({"item": "tea", "count": 1}).value == {"item": "tea", "count": 2}
    assert client.invoke(Order("tea", 1)).value == {"item": "tea", "count": 2}


def test_event_is_written_as_a_typed_result_is():
    def handler(event, context):
        return event

    assert HandlerClient(handler).invoke({"on": date(2026, 1, 2)}).value == {"on": "2026-01-02"}


def test_event_that_is_no_json():
    with pytest.raises(PolylambdaError, match=r"the event cannot be written as JSON: .*object"):
        HandlerClient(lambda event, context: None).invoke(object())


def test_bad_event_is_the_invocations_error():
    def handler(event: Order, context):
        pytest.fail("the handler was called")

    result = HandlerClient(handler).invoke({"item": "tea", "count": "many"})
    assert isinstance(result.exception, ValidationError)
    assert result.error is not None
    assert result.error["errorType"] == "ValidationError"
    assert result.error["errorMessage"].startswith("event.count: ")
    with pytest.raises(ValidationError):
        _ = result.value


def test_what_is_no_handler():
    with pytest.raises(ConfigurationError):
        HandlerClient(7)


# Errors


def test_exception():
    def handler(event, context):
        raise KeyError("gone")

    result = HandlerClient(handler).invoke({}, context=make_context(request_id="id-1"))
    assert not result.answered
    assert result.chunks == []
    assert result.error is not None
    assert result.error["errorType"] == "KeyError"
    assert result.error["requestId"] == "id-1"
    assert any("handler" in line for line in result.error["stackTrace"])
    with pytest.raises(KeyError, match="gone"):
        _ = result.value


def test_exception_after_the_first_byte():
    def handler(event, context):
        yield "partly"
        raise ValueError("broke")

    result = HandlerClient(handler).invoke()
    assert result.chunks == [b"partly"]
    assert not result.answered
    assert result.error is not None
    assert result.error["errorType"] == "ValueError"
    assert isinstance(result.exception, ValueError)


def test_exception_after_the_answer():
    async def handler(event, response: ResponseWriter[str], context):
        await response.write("done")
        raise OSError("later")

    result = HandlerClient(handler).invoke()
    assert result.value == "done"
    assert result.error is None
    assert isinstance(result.exception, OSError)


def test_result_that_cannot_be_written():
    result = HandlerClient(lambda event, context: object()).invoke()
    assert result.error is not None
    assert result.error["errorType"] == "Runtime.MarshalError"


def test_handler_that_writes_nothing():
    async def handler(event, response: ResponseWriter[str], context):
        pass

    result = HandlerClient(handler).invoke()
    assert isinstance(result.exception, ResponseError)
    assert result.exception.code == "unanswered"
    assert not result.answered


@pytest.mark.parametrize("shape", ["def", "async def"])
def test_what_ends_a_runtime_is_raised(shape):
    closed = []

    def handler(event, context):
        closed.append(context)
        raise SystemExit(3)

    async def async_handler(event, context):
        handler(event, context)

    with pytest.raises(SystemExit):
        HandlerClient(handler if shape == "def" else async_handler).invoke()
    with pytest.raises(LookupError, match="is over"):
        _ = closed[0].tmp_dir


def test_cancellation_inside_a_handler_is_its_own_failure():
    async def handler(event, context):
        raise asyncio.CancelledError("mine")

    def def_handler(event, context):
        raise asyncio.CancelledError("mine")

    for each in (handler, def_handler):
        result = HandlerClient(each).invoke()
        assert isinstance(result.exception, asyncio.CancelledError)
        assert result.error is not None
        assert result.error["errorType"] == "CancelledError"


# Responses


def test_background_work_is_over_when_the_result_is_there():
    done = []

    async def handler(event, response: ResponseWriter[str], context):
        await response.write("accepted")
        await asyncio.sleep(0)
        done.append(context.aws_request_id)

    result = HandlerClient(handler).invoke({}, context=make_context(request_id="id-1"))
    assert result.value == "accepted"
    assert not result.streamed
    assert done == ["id-1"]


def test_stream_that_the_handler_leaves_open_is_ended():
    def handler(event, response: ResponseStream, context):
        response.write("all")

    result = HandlerClient(handler).invoke()
    assert result.answered
    assert result.text == "all"


def test_head_of_a_stream_is_not_a_chunk():
    async def handler(event, response: ResponseStream, context):
        response.start_http(201, {"Location": "/1"}, ["a=1", "b=2"])
        await response.write("x")
        await response.write("y")
        await response.finish()

    result = HandlerClient(handler).invoke()
    assert result.chunks == [b"x", b"y"]
    assert result.http.status == 201
    assert result.http.headers["location"] == "/1"
    assert result.http.cookies == ["a=1", "b=2"]
    assert result.http.body == b"xy"


def test_response_can_write_nowhere_afterwards():
    kept = []

    def handler(event, response: ResponseStream, context):
        kept.append(response)
        response.finish("once")

    result = HandlerClient(handler).invoke()
    with pytest.raises(ResponseError, match="over"):
        kept[0].write("again")
    assert result.text == "once"


# Context, logs


def test_temporary_directory_is_removed():
    def handler(event, context):
        (context.tmp_dir / "file").write_text("x")
        return str(context.tmp_dir)

    from pathlib import Path

    assert not Path(HandlerClient(handler).invoke().value).exists()


@pytest.mark.parametrize("is_async", [False, True])
def test_context_variables_of_a_handler_stay_in_it(is_async):
    variable = contextvars.ContextVar("variable", default="before")

    def handler(event, context):
        variable.set("changed")

    async def async_handler(event, context):
        variable.set("changed")

    HandlerClient(async_handler if is_async else handler).invoke()
    assert variable.get() == "before"
    assert CURRENT.get() is None


def test_logs_of_the_invocation_only(caplog):
    caplog.set_level(logging.INFO)
    log = logging.getLogger("app")

    def handler(event, context):
        log.info("order %s", 7)
        context.logger.warning("slow")

    log.info("before")
    result = HandlerClient(handler).invoke()
    log.info("after")
    assert result.logs == ["order 7", "slow"]
    assert [record.levelname for record in result.records] == ["INFO", "WARNING"]


def test_logs_of_levels_that_lambda_would_not_show_are_left_out():
    def handler(event, context):
        logging.getLogger("app").info("hidden")

    assert HandlerClient(handler).invoke().logs == []


def test_recorder_is_removed():
    before = list(logging.getLogger().handlers)
    HandlerClient(lambda event, context: None).invoke()
    assert logging.getLogger().handlers == before


# Lifespan, middleware


@contextlib.contextmanager
def lifespan():
    life.append("enter")
    yield {"pool": 1}
    life.append("leave")


@contextlib.asynccontextmanager
async def async_lifespan():
    life.append(asyncio.get_running_loop())
    yield {"pool": 1}
    life.append(asyncio.get_running_loop())


life: list[object] = []


@pytest.fixture(autouse=True)
def _fresh_life():
    life.clear()


@pytest.mark.parametrize("source", [lifespan, async_lifespan])
def test_lifespan_is_entered_once(source):
    def handler(event, context):
        return context.state

    with HandlerClient(handler, lifespan=source) as client:
        assert client.invoke().value == {"pool": 1}
        assert client.invoke().value == {"pool": 1}
        assert len(life) == 1
    assert len(life) == 2


def test_async_handler_shares_its_loop_with_its_lifespan():
    async def handler(event, context):
        life.append(asyncio.get_running_loop())

    with HandlerClient(handler, lifespan=async_lifespan) as client:
        client.invoke()
        # Another client, used meanwhile, does not close the loop under the first.
        HandlerClient(handler).invoke()
        client.invoke()
    assert len(life) == 5
    assert len(set(map(id, life))) == 1


def test_lifespan_that_was_not_entered():
    client = HandlerClient(lambda event, context: None, lifespan=lifespan)
    with pytest.raises(PolylambdaError, match="with"):
        client.invoke()
    with client:
        client.invoke()
    with pytest.raises(PolylambdaError, match="with"):
        client.invoke()


def test_lifespan_that_fails_leaves_nothing_open():
    @contextlib.asynccontextmanager
    async def broken():
        raise OSError("no database")
        yield

    with pytest.raises(OSError, match="no database"), HandlerClient(lambda event, context: None, lifespan=broken):
        pass
    from polylambda import loop

    assert loop._shared.runner is None


def test_runtime_brings_its_lifespan_and_middleware():
    def middleware(payload, response, context, call_next):
        life.append("middleware")
        call_next(payload, response, context)

    runtime = LambdaRuntime(lambda event, context: context.state, lifespan=lifespan, middleware=[middleware])
    with HandlerClient(runtime) as client:
        assert client.invoke().value == {"pool": 1}
    assert life == ["enter", "middleware", "leave"]
    with pytest.raises(PolylambdaError, match="brings its own"):
        HandlerClient(runtime, lifespan=lifespan)


def test_middleware_sees_the_waist():
    seen = []

    def outer(payload, response, context, call_next):
        seen.append(payload)
        call_next(payload, response, context)
        response.body = response.body.upper()

    def handler(event, context):
        return event["name"]

    assert HandlerClient(handler, middleware=[outer]).invoke({"name": "ada"}).value == "ADA"
    assert seen == [b'{"name":"ada"}']


# On a running event loop


def test_async_test():
    async def handler(event, context):
        return context.state["pool"]

    async def test():
        async with HandlerClient(handler, lifespan=async_lifespan) as client:
            result = await client.invoke_async()
            assert result.value == 1
            assert CURRENT.get() is None

    asyncio.run(test())
    assert life[0] is life[1]


def test_several_at_once():
    async def handler(event, context):
        logging.getLogger("app").warning("in %s", event)
        await barrier.wait()
        return [event, current_context().aws_request_id]

    async def test():
        client = HandlerClient(handler)
        contexts = [make_context(request_id=f"id-{number}") for number in range(5)]
        return await asyncio.gather(
            *(client.invoke_async(number, context=context) for number, context in enumerate(contexts))
        )

    barrier = asyncio.Barrier(5)
    results = asyncio.run(test())
    assert [result.value for result in results] == [[number, f"id-{number}"] for number in range(5)]
    assert [result.logs for result in results] == [[f"in {number}"] for number in range(5)]


def test_def_handler_on_a_running_loop_may_run_one_of_its_own():
    async def work():
        return "worked"

    def handler(event, context):
        return asyncio.run(work())

    assert asyncio.run(HandlerClient(handler).invoke_async()).value == "worked"


def test_invoke_does_not_block_a_running_loop():
    async def handler(event, context):
        pass

    async def test():
        with pytest.raises(PolylambdaError, match="await invoke_async"):
            HandlerClient(handler).invoke()
        with pytest.raises(PolylambdaError, match="async with"):
            HandlerClient(handler).__enter__()

    asyncio.run(test())


def test_cancelled_test_cancels_its_handler():
    async def handler(event, context):
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            seen.append("cancelled")

    async def test():
        call = asyncio.ensure_future(HandlerClient(handler).invoke_async())
        await started.wait()
        call.cancel()
        await call

    seen = []
    started = asyncio.Event()
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(test())
    assert seen == ["cancelled"]
