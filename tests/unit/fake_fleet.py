"""Instances and agents that do at once what they are told, or what a test wants instead."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec

from polylambda.plane.agent.protocol import EnvironmentChanged, EnvironmentMeasures, InstanceMeasures, LogRecord
from polylambda.plane.agent_client import AgentLost, AgentResponse, Refused
from polylambda.plane.providers.local import LaunchFailed
from polylambda.plane.router import Cause
from polylambda.plane.specs import EnvironmentSpec, InstanceSpec
from polylambda.rapi.headers import JSON
from polylambda.server.invocation import Invocation, Outcome


class FakeClient:
    """An agent. `init_error` is what environments fail with; `answer` what invocations get."""

    def __init__(self, instance: FakeInstance) -> None:
        self.instance = instance
        self.started: dict[str, EnvironmentSpec] = {}
        self.stopped: list[str] = []
        self.invoked: list[tuple[str, Invocation]] = []

    async def start_environment(self, spec: EnvironmentSpec) -> None:
        self._check()
        self.started[spec.id] = spec
        provider = self.instance.provider
        loop = asyncio.get_running_loop()
        if provider.init_error is not None:
            error_type, reason = provider.init_error
            event = EnvironmentChanged(spec.id, "Failed", error_type, reason)
        else:
            event = EnvironmentChanged(spec.id, "Ready", pid=4242)
        loop.call_later(provider.init_delay, self.instance.tell, event)

    async def stop_environment(self, environment: str, *, drain: float) -> None:
        self._check()
        self.stopped.append(environment)
        loop = asyncio.get_running_loop()
        loop.call_later(0.1, self.instance.tell, EnvironmentChanged(environment, "Stopped"))

    async def invoke(
        self,
        environment: str,
        invocation: Invocation,
        *,
        tail: bool = False,
        on_end: Callable[[AgentResponse], None] | None = None,
    ) -> AgentResponse:
        self._check()
        answer = self.instance.provider.answer
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, Cause):
            raise Refused(answer, "no")
        self.invoked.append((environment, invocation))
        response = AgentResponse(invocation.request_id, on_end)
        response.begin(JSON, streamed=False)
        response.feed(answer)
        response.end(self.instance.provider.outcome)
        return response

    def _check(self) -> None:
        if self.instance.dead:
            raise AgentLost("the agent is gone", delivered=False)


class FakeInstance:
    def __init__(self, provider: FakeProvider, spec: InstanceSpec, on_event: Any, on_lost: Any) -> None:
        self.provider = provider
        self.spec = spec
        self.client = FakeClient(self)
        self.pid = 4711
        self.dead = False
        self.terminated: list[float] = []
        self._on_event = on_event
        self._on_lost = on_lost

    def tell(self, event: Any) -> None:
        if not self.dead:
            self._on_event(event)

    def measure(self, cpu: float, *, hot: Cause | None = None) -> None:
        """Tell that everything on the instance uses that share of its CPU."""
        self.tell(InstanceMeasures(cpu, 100, len(self.client.started), 4711))
        for environment in self.client.started:
            self.tell(EnvironmentMeasures(environment, cpu, 50, 0, 4, hot))

    def log(self, environment: str, record: object) -> None:
        self.tell(LogRecord(environment, msgspec.Raw(msgspec.json.encode(record))))

    def die(self) -> None:
        self.dead = True
        self._on_lost("its stream of events ended")

    async def terminate(self, *, drain: float = 0.0) -> None:
        self.terminated.append(drain)
        await asyncio.sleep(self.provider.end_delay)
        self.dead = True


class FakeProvider:
    def __init__(self) -> None:
        self.instances: dict[str, FakeInstance] = {}
        self.launch_error = False
        self.launch_delay = 1.0
        self.init_delay = 0.5
        self.end_delay = 0.5
        self.init_error: tuple[str, str] | None = None
        self.answer: bytes | Cause | Exception = b"{}"
        self.outcome = Outcome.SUCCESS

    async def launch(self, spec: InstanceSpec, *, on_event: Any, on_lost: Any) -> Any:
        await asyncio.sleep(self.launch_delay)
        if self.launch_error:
            raise LaunchFailed("there is no room for it")
        instance = self.instances[spec.id] = FakeInstance(self, spec, on_event, on_lost)
        return instance

    @property
    def running(self) -> list[FakeInstance]:
        return [instance for instance in self.instances.values() if not instance.dead]

    @property
    def started(self) -> list[EnvironmentSpec]:
        return [spec for instance in self.instances.values() for spec in instance.client.started.values()]
