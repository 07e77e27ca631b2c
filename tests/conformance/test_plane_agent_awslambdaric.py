"""AWS's own Python runtime, unmodified, as the bootstrap of an environment with 8 slots on an instance."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from polylambda.plane.agent_client import AgentResponse, Refused
from polylambda.server.invocation import Invocation, Outcome
from tests.integration.plane_agent import Machine, machine, run

SLOTS = 8

APP = """
import json, logging, os, time

logging.getLogger().setLevel("INFO")

def handler(event, context):
    match event.pop("do", "echo"):
        case "echo":
            return event
        case "log":
            logging.info("from the handler")
            return event
        case "fail":
            raise ValueError("bad")
        case "meet":
            open(event["mine"], "w").close()
            while not all(map(os.path.exists, event["all"])):
                time.sleep(0.001)
            return os.getpid()
        case "environment":
            return dict(os.environ)
"""


@asynccontextmanager
async def function(python: str, tmp_path: Path) -> AsyncIterator[tuple[Machine, str]]:
    bootstrap = f'#!/bin/sh\nexec {python} -m awslambdaric "$_HANDLER"\n'
    async with machine(tmp_path) as it:
        files = {"app.py": APP, "bootstrap": bootstrap}
        yield it, await it.start(files, runtime="provided.al2023", slots=SLOTS, handler="app.handler")


async def call(it: Machine, environment: str, **event: Any) -> AgentResponse:
    """Invoke as the plane does: what is refused is tried again, and nothing else."""
    invocation = Invocation(payload=json.dumps(event).encode(), timeout=30.0)
    while True:
        try:
            return await it.client.invoke(environment, invocation)
        except Refused:
            await asyncio.sleep(0.01)


async def result(it: Machine, environment: str, **event: Any) -> Any:
    response = await call(it, environment, **event)
    body = await response.read()
    assert response.outcome is Outcome.SUCCESS, body
    return json.loads(body)


def test_every_slot_is_used(awslambdaric_python: str, tmp_path: Path) -> None:
    async def test() -> None:
        async with function(awslambdaric_python, tmp_path) as (it, environment):
            files = [str(tmp_path / f"met-{number}") for number in range(SLOTS)]
            pids = await asyncio.gather(*(result(it, environment, do="meet", mine=file, all=files) for file in files))
            assert len(set(pids)) == SLOTS

    run(test)


def test_under_load_every_invocation_is_answered_once(awslambdaric_python: str, tmp_path: Path) -> None:
    async def test() -> None:
        async with function(awslambdaric_python, tmp_path) as (it, environment):
            numbers = iter(range(800))

            async def caller() -> None:
                for number in numbers:
                    assert await result(it, environment, number=number) == {"number": number}

            await asyncio.gather(*(caller() for _ in range(2 * SLOTS)))
            assert await it.until(lambda: [r["type"] for r in it.records(environment)].count("platform.report") == 800)

    run(test)


def test_errors_logs_and_variables(awslambdaric_python: str, tmp_path: Path) -> None:
    async def test() -> None:
        async with function(awslambdaric_python, tmp_path) as (it, environment):
            response = await call(it, environment, do="fail")
            assert response.outcome is Outcome.ERROR
            assert json.loads(await response.read())["errorType"] == "ValueError"
            await result(it, environment, do="log")

            def logged() -> list[Any]:
                records = [r["record"] for r in it.records(environment) if r["type"] == "function"]
                return [r for r in records if isinstance(r, dict) and r.get("message") == "from the handler"]

            assert (await it.until(logged))[0]["requestId"]
            environ = await result(it, environment, do="environment")
            expected = {
                "AWS_LAMBDA_MAX_CONCURRENCY": "8",
                "AWS_LAMBDA_INITIALIZATION_TYPE": "lambda-managed-instances",
                "AWS_LAMBDA_LOG_FORMAT": "JSON",
                "AWS_LAMBDA_FUNCTION_NAME": "f",
                "AWS_LAMBDA_FUNCTION_VERSION": "1",
                "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "2048",
                "_HANDLER": "app.handler",
            }
            assert environ.items() >= expected.items()
            assert "AWS_EXECUTION_ENV" not in environ
            assert not any("TOKEN" in name for name in environ if name.startswith("POLYLAMBDA"))

    run(test)


def test_a_killed_runtime_fails_what_it_held(awslambdaric_python: str, tmp_path: Path) -> None:
    async def test() -> None:
        async with function(awslambdaric_python, tmp_path) as (it, environment):
            never = str(tmp_path / "never")
            held = [
                asyncio.create_task(call(it, environment, do="meet", mine=str(tmp_path / "x"), all=[never]))
                for _ in range(SLOTS)
            ]
            await it.until(lambda: [r["type"] for r in it.records(environment)].count("platform.start") == SLOTS)
            os.kill((await it.state(environment, "Ready")).pid, signal.SIGKILL)
            for task in held:
                response = await task
                assert (response.outcome, response.error_type) == (Outcome.FAILURE, "Runtime.ExitError")
            await it.state(environment, "Dead")

    run(test)
