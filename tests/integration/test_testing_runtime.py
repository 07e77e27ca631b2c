from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from polylambda import (
    AlreadyRunning,
    ConfigurationError,
    LambdaManagedRuntime,
    LambdaRuntime,
    PolylambdaError,
    ResponseStream,
    ResponseWriter,
    concurrency_safe,
    current_context,
)
from polylambda.testing import HandlerClient, RuntimeClient


def echo(event, context):
    return event


async def echo_async(event, context):
    return event


@pytest.mark.parametrize("handler", [echo, echo_async])
def test_whole_runtime_answers(handler):
    with RuntimeClient(handler) as client:
        for number in range(3):
            result = client.invoke({"number": number})
            assert result.value == {"number": number}
            assert (result.answered, result.streamed, result.error) == (True, False, None)


@pytest.mark.parametrize("handler", [echo, echo_async])
def test_runtime_that_is_never_used(handler):
    with RuntimeClient(handler):
        pass


def test_one_client_after_the_other():
    for _ in range(3):
        with RuntimeClient(echo) as client:
            assert client.invoke(1).value == 1


def test_client_that_is_not_entered_leaves_nothing_open():
    RuntimeClient(echo)


def test_stream():
    def handler(event, response: ResponseStream, context):
        response.start_http(202, {"content-type": "text/plain"})
        response.write("one ")
        response.write("two")

    with RuntimeClient(handler) as client:
        result = client.invoke()
    assert result.streamed
    assert result.text == "one two"
    assert result.http.status == 202


def test_exception():
    def handler(event, context):
        raise KeyError("gone")

    with RuntimeClient(handler) as client:
        result = client.invoke()
    assert not result.answered
    assert result.chunks == []
    assert result.exception is None
    assert result.error is not None
    assert result.error["errorType"] == "KeyError"
    with pytest.raises(PolylambdaError, match="KeyError"):
        _ = result.value


def test_exception_after_the_first_byte():
    async def handler(event, context):
        yield "partly"
        raise ValueError("broke")

    with RuntimeClient(handler) as client:
        result = client.invoke()
    assert result.text == "partly"
    assert not result.answered
    assert result.error is not None
    assert result.error["errorType"] == "ValueError"


def test_answer_does_not_wait_for_background_work():
    answered = threading.Event()
    done = []

    def handler(event, response: ResponseWriter[str], context):
        response.write("accepted")
        answered.wait()
        done.append(event)

    with RuntimeClient(handler) as client:
        assert client.invoke("work").value == "accepted"
        assert done == []
        answered.set()
    assert done == ["work"]


@pytest.mark.parametrize("before", ["", "partly"])
def test_deadline_is_kept(before):
    over = threading.Event()

    def handler(event, response: ResponseStream, context):
        if before:
            response.write(before)
        over.wait()

    with RuntimeClient(handler, timeout=0.1) as client:
        result = client.invoke()
        over.set()
    assert result.error is not None
    assert result.error["errorType"] == "Sandbox.Timedout"
    assert "0.1" in result.error["errorMessage"]
    assert result.text == before


def test_size_limit_holds():
    with RuntimeClient(lambda event, context: b"x" * 7_000_000) as client:
        result = client.invoke()
        assert client.invoke().error is not None
    assert result.error is not None
    assert result.error["errorType"] == "Function.ResponseSizeTooLarge"


def test_metadata_reaches_the_handler():
    def handler(event, context):
        return [context.tenant_id, context.client_context.custom, context.function_name, type(event).__name__]

    with RuntimeClient(handler) as client:
        result = client.invoke(
            b"\x00", content_type="text/plain", tenant_id="blue", client_context={"custom": {"beta": "yes"}}
        )
    assert result.value == ["blue", {"beta": "yes"}, "test-function", "bytes"]


def test_logs_by_invocation_also_of_background_work():
    def handler(event, response: ResponseWriter[str], context):
        logging.getLogger("app").warning("before %s", event)
        response.write("accepted")
        logging.getLogger("app").warning("after %s", event)

    with RuntimeClient(handler) as client:
        first, second = client.invoke(1), client.invoke(2)
    assert first.logs == ["before 1", "after 1"]
    assert second.logs == ["before 2", "after 2"]


def test_several_callers():
    with RuntimeClient(echo_async) as client, ThreadPoolExecutor(8) as pool:
        assert [result.value for result in pool.map(client.invoke, range(40))] == list(range(40))


@pytest.mark.parametrize("handler", [echo, echo_async])
def test_lifespan(handler):
    life = []

    @contextlib.contextmanager
    def lifespan():
        life.append("enter")
        yield
        life.append("leave")

    with RuntimeClient(handler, lifespan=lifespan) as client:
        client.invoke()
        assert life == ["enter"]
    assert life == ["enter", "leave"]


def test_runtime_brings_its_lifespan():
    @contextlib.contextmanager
    def lifespan():
        yield "state"

    runtime = LambdaRuntime(lambda event, context: context.state, lifespan=lifespan)
    with RuntimeClient(runtime) as client:
        assert client.invoke().value == "state"


def test_settings_of_the_runtime():
    def handler(event, context):
        return context.function_name

    with RuntimeClient(handler, environ={"AWS_LAMBDA_FUNCTION_NAME": "orders"}) as client:
        assert client.invoke().value == "orders"


# Several slots

SLOTS = 4


def crowd(*, is_async: bool):
    """A handler that nobody leaves before everybody is in it, and the numbers of the slots that it was in."""
    barrier = threading.Barrier(SLOTS, timeout=20)
    arrived = asyncio.Event()
    seen = []

    @concurrency_safe
    def handler(event, context):
        barrier.wait()
        seen.append(context.slot)
        return [event, current_context().aws_request_id == context.aws_request_id]

    async def handler_async(event, context):
        seen.append(context.slot)
        if len(seen) == SLOTS:
            arrived.set()
        async with asyncio.timeout(20):
            await arrived.wait()
        return [event, current_context().aws_request_id == context.aws_request_id]

    return (handler_async if is_async else handler), seen


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("how", ["handler", "runtime", "environ"])
def test_invocations_overlap(how: str, is_async: bool):
    handler, seen = crowd(is_async=is_async)
    given = handler if how == "handler" else LambdaManagedRuntime(handler)
    options = {"environ": {"AWS_LAMBDA_MAX_CONCURRENCY": str(SLOTS)}} if how == "environ" else {"concurrency": SLOTS}
    with RuntimeClient(given, **options) as client, ThreadPoolExecutor(SLOTS) as pool:
        assert [result.value for result in pool.map(client.invoke, range(SLOTS))] == [[n, True] for n in range(SLOTS)]
    assert sorted(seen) == list(range(SLOTS))


def test_managed_runtime_brings_its_lifespan_and_mode():
    @contextlib.contextmanager
    def lifespan():
        yield "state"

    async def handler(event, context):
        return context.state

    with RuntimeClient(LambdaManagedRuntime(handler, lifespan=lifespan, concurrency="task"), concurrency=2) as client:
        assert client.invoke().value == "state"
    wrong = LambdaManagedRuntime(handler, concurrency="thread")
    with pytest.raises(PolylambdaError, match="does not run in thread mode"), RuntimeClient(wrong, concurrency=2):
        pass


def test_managed_runtime_has_one_slot_unless_told():
    with RuntimeClient(LambdaManagedRuntime(echo)) as client:
        assert client.invoke(1).value == 1


def test_logs_of_invocations_that_overlap_are_apart():
    handler, _ = crowd(is_async=True)

    async def logging_handler(event, context):
        logging.getLogger("app").warning("before %s", event)
        await handler(event, context)
        logging.getLogger("app").warning("after %s", event)

    with RuntimeClient(logging_handler, concurrency=SLOTS) as client, ThreadPoolExecutor(SLOTS) as pool:
        results = list(pool.map(client.invoke, range(SLOTS)))
    assert [result.logs for result in results] == [[f"before {n}", f"after {n}"] for n in range(SLOTS)]


def test_background_work_gives_its_slot_back():
    async def handler(event, response: ResponseWriter[str], context):
        await response.write("accepted")
        if event <= 2:
            await asyncio.to_thread(third_came.wait, 20)
            done.append(event)

    third_came = threading.Event()
    done = []
    with RuntimeClient(handler, concurrency=2) as client:
        assert [client.invoke(number).value for number in (1, 2, 3)] == ["accepted"] * 3
        assert done == []
        third_came.set()
    assert sorted(done) == [1, 2]


def test_environment_of_the_test_is_as_it_was():
    kind, start = type(os.environ), threading.Thread.start
    with RuntimeClient(echo_async, concurrency=2) as client:
        client.invoke()
    assert (type(os.environ), threading.Thread.start) == (kind, start)


def test_handler_that_would_need_processes():
    with pytest.raises(PolylambdaError, match="@concurrency_safe") as caught, RuntimeClient(echo, concurrency=2):
        pass
    assert isinstance(caught.value.__cause__, ConfigurationError)


def test_sequential_runtime_has_no_concurrency():
    with pytest.raises(PolylambdaError, match="one invocation at a time"):
        RuntimeClient(LambdaRuntime(echo), concurrency=2)


# A runtime that ends


def test_runtime_that_cannot_start():
    @contextlib.contextmanager
    def broken():
        raise OSError("no database")
        yield

    with pytest.raises(PolylambdaError, match="no database") as caught, RuntimeClient(echo, lifespan=broken):
        pass
    assert isinstance(caught.value.__cause__, OSError)


def test_handler_that_is_none():
    with pytest.raises(PolylambdaError, match="a handler is a function"), RuntimeClient(7):
        pass


def test_second_runtime_of_the_process():
    with RuntimeClient(echo) as client:
        with pytest.raises(PolylambdaError, match="could not start: AlreadyRunning") as caught, RuntimeClient(echo):
            pass
        assert isinstance(caught.value.__cause__, AlreadyRunning)
        assert client.invoke(1).value == 1


def test_runtime_that_ends_by_itself():
    def handler(event, context):
        raise SystemExit(3)

    def use():
        with RuntimeClient(handler) as client:
            result = client.invoke()
            assert result.error is not None
            assert result.error["errorType"] == "SystemExit"
            with pytest.raises(PolylambdaError, match="ended by itself"):
                client.invoke()

    with pytest.raises(PolylambdaError, match="ended by itself") as caught:
        use()
    assert isinstance(caught.value.__cause__, SystemExit)


def test_failing_test_is_not_hidden_by_the_end_of_the_runtime():
    def handler(event, context):
        raise SystemExit(3)

    def use():
        with RuntimeClient(handler) as client:
            client.invoke()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        use()


def test_runtime_leaves_the_loop_of_other_clients_alone():
    @contextlib.asynccontextmanager
    async def lifespan():
        life.append("enter")
        yield
        life.append("leave")

    life = []
    with HandlerClient(echo, lifespan=lifespan) as client:
        with RuntimeClient(echo_async) as whole:
            assert whole.invoke(1).value == 1
        assert client.invoke(2).value == 2
        assert life == ["enter"]
    assert life == ["enter", "leave"]
