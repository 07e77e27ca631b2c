"""From a version to an environment: what is tried again, what never is, and what is counted."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from polylambda.plane.agent_client import AgentError, AgentLost
from polylambda.plane.clock import Clock
from polylambda.plane.control import Throttled
from polylambda.plane.fleet import Environment, Fleet, Host, Revision
from polylambda.plane.instance_types import INSTANCE_TYPES
from polylambda.plane.invoker import Invoker
from polylambda.plane.metrics import Metrics
from polylambda.plane.router import Cause, Router
from polylambda.plane.specs import InstanceSpec
from polylambda.plane.states import EnvironmentState
from polylambda.server.invocation import Invocation, Outcome
from tests.unit import virtual_loop
from tests.unit.fake_fleet import FakeInstance, FakeProvider
from tests.unit.plane_records import version

TYPE = INSTANCE_TYPES["m7i.large"]


class Setting:
    """Environments `e0`, `e1`, ... each on an instance of its own, with two slots each."""

    def __init__(self, count: int) -> None:
        self.fleet = Fleet()
        self.router = Router(random.Random(2))
        self.metrics = Metrics()
        self.clock = Clock(source=asyncio.get_running_loop().time)
        self.invoker = Invoker(self.router, self.fleet, self.metrics, self.clock)
        self.revision = Revision(version(slots=2))
        self.providers = [FakeProvider() for _ in range(count)]
        self.instances: list[FakeInstance] = []
        for number, provider in enumerate(self.providers):
            spec = InstanceSpec(
                id=f"i{number}", capacity_provider="pool", instance_type=TYPE.name, zone="a", vcpus=2, memory=8192
            )
            instance = FakeInstance(provider, spec, lambda _: None, lambda _: None)
            self.instances.append(instance)
            host = Host(spec.id, "pool", TYPE, "a", 0.0)
            host.instance = instance  # pyright: ignore[reportAttributeAccessIssue]
            self.fleet.add_host(host)
            environment = Environment(f"e{number}", self.revision, spec.id)
            self.fleet.add_environment(environment)
            environment.become(EnvironmentState.READY)
            self.router.add(self.revision.id, environment.id, zone="a", limit=2)

    async def invoke(self) -> tuple[Outcome, bytes]:
        response = await self.invoker.invoke(self.revision, Invocation(payload=b"{}"))
        return response.outcome, await response.read()

    def total(self, metric: str) -> int:
        return self.metrics.function("f", "1").total(metric)

    def invoked(self) -> list[int]:
        return [len(instance.client.invoked) for instance in self.instances]

    def idle(self) -> bool:
        names = self.fleet.environments
        return all(self.router.in_flight(name) == 0 and names[name].in_flight == 0 for name in names)


def run(count: int, test: Callable[[Setting], Awaitable[None]]) -> None:
    async def main() -> None:
        await test(Setting(count))

    virtual_loop.run(main())


def test_an_answer_is_counted_and_frees_its_slot() -> None:
    async def test(setting: Setting) -> None:
        assert await setting.invoke() == (Outcome.SUCCESS, b"{}")
        assert setting.idle()
        assert (setting.total("Invocations"), setting.total("Errors"), setting.total("Throttles")) == (1, 0, 0)

    run(1, test)


def test_an_error_of_the_function_is_counted_too() -> None:
    async def test(setting: Setting) -> None:
        setting.providers[0].outcome = Outcome.ERROR
        assert (await setting.invoke())[0] is Outcome.ERROR
        assert (setting.total("Invocations"), setting.total("Errors")) == (1, 1)

    run(1, test)


def test_a_refusal_is_tried_elsewhere() -> None:
    async def test(setting: Setting) -> None:
        setting.providers[0].answer = Cause.CPU
        setting.providers[1].answer = Cause.MEMORY
        for _ in range(5):
            assert (await setting.invoke())[0] is Outcome.SUCCESS
        assert setting.invoked() == [0, 0, 5]
        assert setting.idle()
        assert setting.total("Throttles") == 0

    run(3, test)


def test_one_cause_is_counted_when_all_refuse() -> None:
    async def test(setting: Setting) -> None:
        for provider in setting.providers:
            provider.answer = Cause.CPU
        with pytest.raises(Throttled) as caught:
            await setting.invoke()
        assert caught.value.cause is Cause.CPU
        assert (setting.total("Throttles"), setting.total("CPUThrottles"), setting.total("Invocations")) == (1, 1, 0)
        assert setting.idle()

    run(3, test)


def test_nobody_there_is_a_throttle() -> None:
    async def test(setting: Setting) -> None:
        with pytest.raises(Throttled) as caught:
            await setting.invoke()
        assert caught.value.cause is Cause.CONCURRENCY
        assert setting.total("ConcurrencyThrottles") == 1

    run(0, test)


def test_an_agent_that_is_gone_before_it_had_the_invocation_is_passed_over() -> None:
    async def test(setting: Setting) -> None:
        setting.instances[0].dead = True
        for _ in range(5):
            assert (await setting.invoke())[0] is Outcome.SUCCESS
        assert setting.invoked() == [0, 5]

    run(2, test)


def test_what_was_delivered_is_never_tried_again() -> None:
    async def test(setting: Setting) -> None:
        for provider in setting.providers:
            provider.answer = AgentLost("the connection broke", delivered=True)
        outcome, body = await setting.invoke()
        assert outcome is Outcome.FAILURE
        assert b"Sandbox.Failure" in body
        assert (setting.total("Invocations"), setting.total("Errors")) == (1, 1)
        assert setting.idle()

    run(3, test)


def test_a_request_that_an_agent_does_not_understand_is_a_failure() -> None:
    async def test(setting: Setting) -> None:
        setting.providers[0].answer = AgentError(400, "what is that?")
        outcome, body = await setting.invoke()
        assert outcome is Outcome.FAILURE
        assert b"what is that?" in body
        assert setting.idle()

    run(1, test)


def test_a_defect_costs_no_slot() -> None:
    async def test(setting: Setting) -> None:
        setting.providers[0].answer = ZeroDivisionError()
        with pytest.raises(ZeroDivisionError):
            await setting.invoke()
        assert setting.idle()

    run(1, test)


def test_an_environment_that_has_just_been_forgotten_is_passed_over() -> None:
    async def test(setting: Setting) -> None:
        setting.fleet.remove_environment(setting.fleet.environments["e0"])
        for _ in range(3):
            assert (await setting.invoke())[0] is Outcome.SUCCESS
        assert setting.invoked() == [0, 3]

    run(2, test)


def test_slots_in_use_are_a_mean_over_time() -> None:
    async def test(setting: Setting) -> None:
        environment = setting.fleet.environments["e0"]
        environment.measure_from(0)
        environment.begin(2)
        environment.begin(4)
        environment.end(6)
        assert environment.take_slots_in_use(10) == pytest.approx((2 + 2 * 2 + 4) / 10 / 2)
        assert environment.take_slots_in_use(10) == pytest.approx(1 / 2)
        environment.end(11)
        assert environment.take_slots_in_use(12) == pytest.approx(1 / 2 / 2)

    run(1, test)


def test_the_mean_of_what_was_measured_counts_and_else_the_last(tmp_path: Path) -> None:
    async def test(setting: Setting) -> None:
        environment = setting.fleet.environments["e0"]
        environment.measure(0.2, 10, None)
        environment.measure(0.6, 10, Cause.CPU)
        assert environment.take_cpu() == pytest.approx(0.4)
        assert environment.take_cpu() == pytest.approx(0.6)
        assert environment.hot is Cause.CPU

    run(1, test)
