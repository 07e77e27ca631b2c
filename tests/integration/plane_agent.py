"""An instance for tests: a real agent, launched by the local provider, and what it has told so far."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

from polylambda.plane import processes
from polylambda.plane.agent.protocol import EnvironmentChanged, EnvironmentMeasures, Event, LogRecord
from polylambda.plane.agent_client import AgentClient, AgentResponse
from polylambda.plane.providers.local import LocalInstance, LocalProvider
from polylambda.plane.specs import EnvironmentSpec, InstanceSpec
from polylambda.server.invocation import Invocation

BOOTSTRAP = """#!{python} -S
import http.client, json, os, subprocess, sys, threading, time
PREFIX = "/2018-06-01/runtime/invocation/"
POLLS = {polls}

def work():
    connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    while True:
        connection.request("GET", PREFIX + "next")
        reply = connection.getresponse()
        request_id, event = reply.headers["Lambda-Runtime-Aws-Request-Id"], json.loads(reply.read())
        result = {{}}
        exec(event["run"], globals(), result)
        body = json.dumps(result.get("result")).encode()
        connection.request("POST", PREFIX + request_id + "/response", body, {{"Content-Type": "application/json"}})
        connection.getresponse().read()

for _ in range(POLLS - 1):
    threading.Thread(target=work).start()
work()
"""
"""A runtime that runs the event as Python, in as many threads as it is told; it starts fast."""

ids = count(1)


def run(test: Callable[[], Awaitable[None]], loop: Callable[[], asyncio.AbstractEventLoop] | None = None) -> None:
    async def main() -> None:
        async with asyncio.timeout(50):
            await test()

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(main())


class Machine:
    """A running instance, seen from the plane."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.token = uuid4().hex
        self.instance: LocalInstance
        self.events: list[Event] = []
        self.lost: list[str] = []
        self._news = asyncio.Event()

    @property
    def client(self) -> AgentClient:
        return self.instance.client

    @property
    def marks(self) -> dict[str, str]:
        return processes.marks(self.token)

    def on_event(self, event: Event) -> None:
        self.events.append(event)
        self._news.set()

    def on_lost(self, reason: str) -> None:
        self.lost.append(reason)
        self._news.set()

    async def until(self, condition: Callable[[], Any]) -> Any:
        """Wait until the agent has told something that makes the condition true; return what it is."""
        while not (result := condition()):
            self._news.clear()
            await self._news.wait()
        return result

    def states(self, environment: str) -> list[str]:
        return [e.state for e in self.events if isinstance(e, EnvironmentChanged) and e.id == environment]

    async def state(self, environment: str, state: str) -> EnvironmentChanged:
        """Wait until an environment is in a state; return the event that said so."""

        def found() -> EnvironmentChanged | None:
            changes = (e for e in self.events if isinstance(e, EnvironmentChanged) and e.id == environment)
            return next((change for change in changes if change.state == state), None)

        return await self.until(found)

    async def measures(self, environment: str) -> EnvironmentMeasures:
        """Wait for the next measures of an environment."""
        seen = len(self.events)

        def found() -> EnvironmentMeasures | None:
            later = (e for e in self.events[seen:] if isinstance(e, EnvironmentMeasures))
            return next((e for e in later if e.id == environment), None)

        return await self.until(found)

    def records(self, environment: str) -> list[dict[str, Any]]:
        return [json.loads(bytes(e.record)) for e in self.events if isinstance(e, LogRecord) and e.id == environment]

    async def record(self, environment: str, kind: str) -> dict[str, Any]:
        """Wait for a record of a kind in the function's log."""
        return await self.until(lambda: next((r for r in self.records(environment) if r["type"] == kind), None))

    async def start(self, files: dict[str, str], *, ready: bool = True, **options: Any) -> str:
        """Start an environment whose code is `files`; return its id."""
        number = next(ids)
        code = self.folder / f"code-{number}"
        code.mkdir()
        for name, text in files.items():
            (code / name).write_text(text)
            (code / name).chmod(0o755)
        options = {"runtime": "python3.11", "handler": "app.handler", "slots": 2, "timeout": 30.0, **options}
        if options["runtime"] == "python3.11":
            options["runtime"] = f"python3.{sys.version_info[1]}"
        spec = EnvironmentSpec(id=f"e{number}", function_name="f", qualifier="1", code=str(code), **options)
        await self.client.start_environment(spec)
        if ready:
            await self.state(spec.id, "Ready")
        return spec.id

    async def start_raw(self, *, polls: int = 2, **options: Any) -> str:
        """Start an environment that runs events as Python."""
        bootstrap = BOOTSTRAP.format(python=sys.executable, polls=polls)
        return await self.start({"bootstrap": bootstrap}, runtime="provided.al2023", **options)

    async def invoke(self, environment: str, code: str, **options: Any) -> AgentResponse:
        """Have an environment that runs events as Python run `code`."""
        invocation = Invocation(payload=json.dumps({"run": code}).encode(), timeout=options.pop("timeout", 30.0))
        return await self.client.invoke(environment, invocation, **options)

    async def result(self, environment: str, code: str) -> Any:
        """Do the same, and return what it assigned to `result`."""
        response = await self.invoke(environment, f"result = {code}")
        return json.loads(await response.read())


@asynccontextmanager
async def machine(tmp_path: Path, **options: Any) -> AsyncIterator[Machine]:
    """Launch an instance; end it at the end, and see to it that nothing is left."""
    it = Machine(tmp_path)
    spec = {"capacity_provider": "pool", "instance_type": "m7i.large", "zone": "a", "vcpus": 2, "memory": 8192}
    provider = LocalProvider(token=it.token, folder=tmp_path / "instances")
    it.instance = await provider.launch(
        InstanceSpec(id=f"i-{uuid4().hex[:17]}", **{**spec, **options}), on_event=it.on_event, on_lost=it.on_lost
    )
    try:
        yield it
    finally:
        await it.instance.terminate()
    assert processes.find(it.marks) == []
    assert list((tmp_path / "instances").iterdir()) == []
