"""What a handler is told about its invocation, by a whole runtime."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import json
import os
import re
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from polylambda import LambdaContext, current_context
from tests.environment import Environment

VARIABLE = contextvars.ContextVar("variable", default="unset")
TRACE = "_X_AMZN_TRACE_ID"

both = pytest.mark.parametrize("kind", ["def", "async def"])


@pytest.fixture
def environment() -> Iterator[Environment]:
    with Environment(name="orders", version="7", memory_size=512) as environment:
        yield environment
    os.environ.pop(TRACE, None)


def tells(what: Any, kind: str) -> Any:
    """A handler whose result is `what(context)`."""

    def blocking(event, context):
        return what(context)

    async def asynchronous(event, context):
        await asyncio.sleep(0)
        return what(context)

    return blocking if kind == "def" else asynchronous


@both
def test_the_function_and_its_environment(environment, kind):
    def what(context: LambdaContext):
        return [
            context.function_name,
            context.function_version,
            context.memory_limit_in_mb,
            context.log_group_name,
            context.log_stream_name,
            context.invoked_function_arn,
            context.slot,
            context.state,
        ]

    arn = "arn:aws:lambda:us-east-1:123456789012:function:orders:live"
    with environment.running(tells(what, kind)):
        told = environment.invoke(invoked_function_arn=arn).json
    assert told == ["orders", "7", "512", "/aws/lambda/orders", "local", arn, 0, None]


@both
def test_the_time_that_is_left(environment, kind):
    """E26."""

    def what(context: LambdaContext):
        return [context.get_remaining_time_in_millis(), context.deadline - time.time()]

    with environment.running(tells(what, kind)):
        milliseconds, seconds = environment.invoke(timeout=30).json
    assert 0 < milliseconds <= 30_000
    assert 0 < seconds <= 30


@both
def test_the_tenant(environment, kind):
    """E23."""
    with environment.running(tells(lambda context: context.tenant_id, kind)):
        assert environment.invoke(tenant_id="blue").json == "blue"
        assert environment.invoke().json is None


@both
def test_client_context_and_identity(environment, kind):
    """E24, E25."""

    def what(context: LambdaContext):
        client_context, identity = context.client_context, context.identity
        return [
            client_context and client_context.custom,
            client_context and client_context.client and client_context.client.app_title,
            identity.cognito_identity_id,
            context.w3c(),
        ]

    sent = {"custom": {"a": 1}, "client": {"app_title": "shop"}, "w3c": {"traceparent": "00-1-2-01"}}
    with environment.running(tells(what, kind)):
        told = environment.invoke(client_context=json.dumps(sent), identity='{"cognitoIdentityId": "id"}').json
        assert told == [{"a": 1}, "shop", "id", {"traceparent": "00-1-2-01"}]
        assert environment.invoke(client_context="{}").json == [None, None, None, {}]
        assert environment.invoke().json == [None, None, None, {}]


@both
def test_the_trace_header_is_in_the_environment_for_each_invocation(environment, kind):
    def what(context: LambdaContext):
        return [context.trace_id, os.environ[TRACE]]

    with environment.running(tells(what, kind)):
        for number in (1, 2):
            header = f"Root=1-5759e988-bd862e3fe1be46a99427279{number};Sampled=1"
            assert environment.invoke(trace_id=header).json == [header, header]
        made_up, same = environment.invoke().json  # by the platform
        assert made_up == same
        assert re.match(r"Root=1-[0-9a-f]{8}-[0-9a-f]{24}", made_up)


@both
def test_what_the_lifespan_yields_is_the_state(environment, kind):
    @contextlib.asynccontextmanager
    async def lifespan():
        yield {"pool": "open"}

    with environment.running(tells(lambda context: context.state, kind), lifespan=lifespan):
        assert environment.invoke().json == {"pool": "open"}


@both
def test_context_variables_that_the_lifespan_sets_are_seen(environment, kind):
    @contextlib.contextmanager
    def lifespan():
        VARIABLE.set("set")
        yield

    with environment.running(tells(lambda context: VARIABLE.get(), kind), lifespan=lifespan):
        assert environment.invoke().json == "set"


def test_an_asynchronous_lifespan_lives_on_the_loop_of_the_handlers(environment):
    @contextlib.asynccontextmanager
    async def lifespan():
        async with asyncio.TaskGroup() as group:
            queue: asyncio.Queue[asyncio.Future[str]] = asyncio.Queue()

            async def serve() -> None:
                while True:
                    (await queue.get()).set_result("served")

            task = group.create_task(serve())
            yield queue
            task.cancel()

    async def handler(event, context):
        future = asyncio.get_running_loop().create_future()
        await context.state.put(future)
        return await future

    with environment.running(handler, lifespan=lifespan):
        assert environment.invoke().json == "served"


@both
def test_the_current_context_follows_the_handler_into_tasks_and_threads(environment, kind):
    async def everywhere(context: LambdaContext) -> list[bool]:
        async def task() -> LambdaContext:
            return current_context()

        found = [await asyncio.create_task(task()), await asyncio.to_thread(current_context), current_context()]
        return [each is context for each in found]

    def blocking(event, context):
        return [current_context() is context, *asyncio.run(everywhere(context))]

    async def asynchronous(event, context):
        return [current_context() is context, *await everywhere(context)]

    with environment.running(blocking if kind == "def" else asynchronous):
        for _ in range(2):
            assert environment.invoke().json == [True] * 4


def test_between_invocations_there_is_no_current_context(environment):
    seen: list[bool] = []

    @contextlib.contextmanager
    def lifespan():
        yield
        try:
            current_context()
        except LookupError:
            seen.append(True)

    with environment.running(tells(lambda context: None, "def"), lifespan=lifespan):
        environment.invoke()
    assert seen == [True]


@both
def test_log_lines_carry_the_request_id(environment, caplog, kind):
    def what(context: LambdaContext):
        context.logger.warning("hello")
        return context.logger.name

    with environment.running(tells(what, kind)):
        answer = environment.invoke()
    (record,) = [record for record in caplog.records if record.getMessage() == "hello"]
    assert record.__dict__["aws_request_id"] == answer.request_id
    assert (record.name, answer.json) == ("orders", "orders")


@both
def test_what_was_printed_without_its_newline_is_out_before_the_answer(environment, tmp_path, kind):
    """Behind its answer the platform may freeze the environment."""
    source = f"{kind} handler(event, context): print('unfinished', end='')\n"
    with environment.program(tmp_path, source) as program:
        environment.invoke()
        assert program.expect("unfinished") == "unfinished"


@both
def test_contexts_of_different_invocations_are_different(environment, kind):
    kept: list[LambdaContext] = []

    def what(context: LambdaContext):
        kept.append(context)
        context.note = context.aws_request_id  # pyright: ignore[reportAttributeAccessIssue]
        return str(context.tmp_dir)

    with environment.running(tells(what, kind)):
        answers = [environment.invoke() for _ in range(3)]
    assert [context.aws_request_id for context in kept] == [answer.request_id for answer in answers]
    assert len({answer.json for answer in answers}) == 3
    assert not any(os.path.exists(answer.json) for answer in answers)


def test_a_thread_that_outlives_its_invocation_finds_no_directory(environment):
    ended, errors = threading.Event(), []

    def handler(event, context):
        def late() -> None:
            ended.wait()
            try:
                _ = context.tmp_dir
            except LookupError as error:
                errors.append(error)

        context.state.append(thread := threading.Thread(target=late))
        thread.start()

    threads: list[threading.Thread] = []

    with environment.running(handler, lifespan=lambda: contextlib.nullcontext(threads)):
        environment.invoke()
        ended.set()
        threads[0].join()
    assert len(errors) == 1
