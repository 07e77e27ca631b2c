"""AWS's own Python runtime, unmodified, against our Runtime API server.

With one slot it exits when an answer of its is refused, as it does on AWS, and is started again; with several it goes on.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from polylambda.server.broker import Broker, Invocation, Outcome, Response
from polylambda.server.environment import RuntimeApi
from polylambda.server.function import FunctionConfiguration
from polylambda.server.process import RuntimeProcess

APP = """
import os, time

def handler(event, context):
    match event.pop("do", "echo"):
        case "echo":
            return event
        case "fail":
            raise ValueError("bad \\u00fc\\n\\"quoted\\"")
        case "sleep":
            time.sleep(event["pause"])
        case "grow":
            return "x" * event["size"]
        case "meet":
            open(event["mine"], "w").close()
            while not all(map(os.path.exists, event["all"])):
                time.sleep(0.001)
            return os.getpid()
        case "context":
            return [
                context.aws_request_id,
                context.invoked_function_arn,
                context.tenant_id,
                context.client_context.custom,
                context.identity.cognito_identity_id,
                context.function_name,
                context.memory_limit_in_mb,
                context.get_remaining_time_in_millis(),
            ]
        case "exit":
            os._exit(event["status"])
"""

SLOTS = [1, 4]


class Environment:
    """An environment whose runtime is started again whenever it exits."""

    def __init__(self, api: RuntimeApi) -> None:
        self.api = api
        self.output: list[bytes] = []
        self.exits = 0
        self._new_output = asyncio.Event()

    async def invoke(self, seconds: float = 30.0, **event: Any) -> Response:
        return await self.api.broker.invoke(Invocation(payload=json.dumps(event).encode(), timeout=seconds))

    async def result(self, **event: Any) -> Any:
        response = await self.invoke(**event)
        body = await response.read()
        assert response.outcome is Outcome.SUCCESS, body
        return json.loads(body)

    def on_output(self, stream: str, line: bytes) -> None:
        self.output.append(line)
        self._new_output.set()

    async def said(self, text: bytes) -> None:
        """Wait until the runtime has written `text`."""
        while not any(text in line for line in self.output):
            self._new_output.clear()
            await self._new_output.wait()

    async def keep(self, process: RuntimeProcess) -> None:
        while True:
            await process.start()
            await process.wait()
            self.exits += 1


@asynccontextmanager
async def environment(python: str, root: Path, slots: int) -> AsyncIterator[Environment]:
    (root / "app.py").write_text(APP)
    function = FunctionConfiguration(
        handler="app.handler", task_root=str(root), max_concurrency=slots if slots > 1 else None
    )
    async with RuntimeApi(Broker(max_concurrency=slots), function=function) as api:
        env = Environment(api)
        process = RuntimeProcess(
            [python, "-m", "awslambdaric", "app.handler"],
            api,
            environ={"PATH": os.environ["PATH"]},
            on_output=env.on_output,
        )
        keeper = asyncio.create_task(env.keep(process))
        try:
            assert await api.ready()
            yield env
        finally:
            keeper.cancel()
            with suppress(asyncio.CancelledError):
                await keeper
            await process.stop()


@pytest.fixture(params=SLOTS, ids=lambda slots: f"{slots} slots")
def slots(request: pytest.FixtureRequest) -> int:
    return request.param


@pytest.fixture
def run(
    awslambdaric_python: str, tmp_path: Path, slots: int
) -> Callable[[Callable[[Environment], Awaitable[None]]], None]:
    def run(test: Callable[[Environment], Awaitable[None]]) -> None:
        async def main() -> None:
            async with asyncio.timeout(50), environment(awslambdaric_python, tmp_path, slots) as env:
                await test(env)

        asyncio.run(main())

    return run


def test_echo(run: Any) -> None:
    async def test(env: Environment) -> None:
        event = {"text": "\u00fc\U0001f600", "list": [1, 2.5, None, True]}
        for _ in range(50):
            assert await env.result(**event) == event
        assert env.exits == 0

    run(test)


def test_many_callers_get_their_own_answers(run: Any) -> None:
    async def test(env: Environment) -> None:
        results = await asyncio.gather(*(env.result(number=number) for number in range(200)))
        assert results == [{"number": number} for number in range(200)]
        assert env.exits == 0

    run(test)


def test_an_error(run: Any) -> None:
    async def test(env: Environment) -> None:
        response = await env.invoke(do="fail")
        document = json.loads(await response.read())
        assert response.outcome is Outcome.ERROR
        assert document["errorType"] == "ValueError"
        assert document["errorMessage"] == 'bad \u00fc\n"quoted"'
        assert document["requestId"] == response.request_id
        assert document["stackTrace"]
        assert await env.result(a=1) == {"a": 1}
        assert env.exits == 0

    run(test)


def test_the_context(run: Any) -> None:
    async def test(env: Environment) -> None:
        invocation = Invocation(
            payload=b'{"do": "context"}',
            timeout=40.0,
            invoked_function_arn="arn:aws:lambda:us-east-1:123456789012:function:f:live",
            client_context='{"custom": {"key": "\u00fc"},\n "client": {}}',
            identity='{"cognitoIdentityId": "id", "cognitoIdentityPoolId": "pool"}',
            tenant_id="blue",
        )
        response = await env.api.broker.invoke(invocation)
        *fields, remaining = json.loads(await response.read())
        assert fields == [
            invocation.request_id,
            invocation.invoked_function_arn,
            "blue",
            {"key": "\u00fc"},
            "id",
            "function",
            "3008",
        ]
        assert 30_000 < remaining <= 40_000

    run(test)


def test_large_events_and_results(run: Any) -> None:
    async def test(env: Environment) -> None:
        event = {"pad": "x" * 5_000_000}
        assert await env.result(**event) == event
        assert len(await env.result(do="grow", size=6_000_000)) == 6_000_000
        assert env.exits == 0

    run(test)


def test_a_result_over_the_limit(run: Any, slots: int) -> None:
    async def test(env: Environment) -> None:
        response = await env.invoke(do="grow", size=7_000_000)
        assert (response.outcome, response.error_type) == (Outcome.ERROR, "Function.ResponseSizeTooLarge")
        await env.said(b"Http response code: 413")
        assert await env.result(a=1) == {"a": 1}
        assert env.exits == (slots == 1)

    run(test)


def test_a_late_answer(run: Any, slots: int) -> None:
    async def test(env: Environment) -> None:
        response = await env.invoke(0.1, do="sleep", pause=0.5)
        assert (response.outcome, response.error_type) == (Outcome.TIMEOUT, "Sandbox.Timedout")
        await env.said(b"Http response code: 410")
        assert await env.result(a=1) == {"a": 1}
        assert env.exits == (slots == 1)

    run(test)


def test_every_slot_is_used(run: Any, slots: int, tmp_path: Path) -> None:
    async def test(env: Environment) -> None:
        files = [str(tmp_path / f"met-{number}") for number in range(slots)]
        pids = await asyncio.gather(*(env.result(do="meet", mine=file, all=files) for file in files))
        assert len(set(pids)) == slots

    run(test)


def test_an_exit(run: Any, slots: int) -> None:
    async def test(env: Environment) -> None:
        response = await env.invoke(0.5, do="exit", status=3)
        if slots == 1:
            assert (response.outcome, response.error_type) == (Outcome.FAILURE, "Runtime.ExitError")
            assert b"Runtime exited with error: exit status 3" in await response.read()
        else:  # one of its workers dies, which the platform does not see
            assert response.outcome is Outcome.TIMEOUT
        assert await env.result(a=1) == {"a": 1}

    run(test)


@pytest.mark.parametrize("slots", [1], indirect=True)
def test_an_init_error(awslambdaric_python: str, tmp_path: Path, slots: int) -> None:
    async def main() -> None:
        function = FunctionConfiguration(task_root=str(tmp_path))
        async with asyncio.timeout(50), RuntimeApi(Broker(), function=function) as api:
            command = [awslambdaric_python, "-m", "awslambdaric", "missing.handler"]
            process = RuntimeProcess(command, api, environ={"PATH": os.environ["PATH"]}, on_output=lambda *_: None)
            waiting = asyncio.create_task(api.broker.invoke(Invocation(payload=b"{}")))
            await process.start()
            assert not await api.ready()
            response = await waiting
            assert (response.outcome, response.error_type) == (Outcome.FAILURE, "Runtime.ImportModuleError")
            assert json.loads(await response.read())["errorType"] == "Runtime.ImportModuleError"
            assert (await process.wait()).status == 1

    asyncio.run(main())
