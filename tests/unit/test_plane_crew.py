"""The hands of the reconciler, when what they touch breaks in ways that nobody foresaw."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from polylambda.plane.agent.protocol import LogRecord
from polylambda.plane.clock import Clock
from polylambda.plane.crew import Crew
from polylambda.plane.facts import Launch, Start
from polylambda.plane.fleet import Environment, Fleet, Host, Revision
from polylambda.plane.instance_types import INSTANCE_TYPES
from polylambda.plane.journal import Journal
from polylambda.plane.options import PlaneOptions
from polylambda.plane.router import Router
from polylambda.plane.states import EnvironmentState, InstanceState
from tests.unit import virtual_loop
from tests.unit.fake_fleet import FakeProvider
from tests.unit.plane_records import provider, version


class Unforeseen(Exception):
    """What nobody has thought of."""


class Unreliable(FakeProvider):
    """A provider some of whose promises break: `launch`, `terminate`, `start_environment`, `stop_environment`."""

    def __init__(self, broken: str = "") -> None:
        super().__init__()
        self.broken = broken

    async def launch(self, *args: Any, **kwargs: Any) -> Any:
        if self.broken == "launch":
            await _break()
        instance = await super().launch(*args, **kwargs)
        for breakable in (instance, instance.client):
            if hasattr(breakable, self.broken):
                setattr(breakable, self.broken, _break)
        return instance


async def _break(*_args: Any, **_kwargs: Any) -> None:
    raise Unforeseen("who would have thought of that?")


class Ship:
    """A crew with one instance, and one environment on it."""

    def __init__(self, folder: Path, broken: str, document: dict[str, Any]) -> None:
        self.defects: list[str] = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: self.defects.append(f"{context['exception']!r}"))
        self.fleet = Fleet()
        self.provider = Unreliable(broken)
        self.journal = Journal(folder / "logs")
        options = PlaneOptions(data_dir=folder, cores_per_vcpu=1)
        router = Router(random.Random(1))
        self.crew = Crew(self.fleet, router, self.provider, self.journal, Clock(source=loop.time), options)
        self.failed: list[str] = []
        self.crew.on_init_failed = lambda _revision, _type, reason: self.failed.append(reason)
        self.crew.launch(Launch("i-1", "pool", INSTANCE_TYPES["m7i.large"], "us-east-1a"), provider())
        revision = Revision(version(document=document))
        self.crew.start(Start("e1", revision.id, "i-1"), revision)

    @property
    def host(self) -> Host:
        return self.fleet.hosts["i-1"]

    @property
    def environment(self) -> Environment:
        return self.fleet.environments["e1"]

    @property
    def messages(self) -> list[str]:
        """What the log of the capacity provider says at level WARN."""
        self.journal.flush()
        records = [json.loads(line) for line in self.journal.provider_log("pool").read_text().splitlines()]
        return [record["message"] for record in records if record["level"] == "WARN"]


def sail(folder: Path, test: Callable[[Ship], Awaitable[None]], broken: str = "", **document: Any) -> None:
    async def main() -> None:
        ship = Ship(folder, broken, document)
        try:
            await asyncio.sleep(5)  # of virtual time: everything has begun
            await test(ship)
        finally:
            await ship.crew.end(drain=0)
        assert not ship.fleet.hosts
        assert ship.defects == [repr(Unforeseen("who would have thought of that?"))] * bool(broken)

    virtual_loop.run(main())


def test_a_launch_that_breaks_has_failed(tmp_path: Path) -> None:
    async def test(ship: Ship) -> None:
        assert ship.host.state is InstanceState.FAILED
        assert ship.environment.state is EnvironmentState.DEAD
        assert ship.messages == ["LaunchFailed: Unforeseen: who would have thought of that?"]

    sail(tmp_path, test, "launch")


def test_an_end_that_breaks_is_one(tmp_path: Path) -> None:
    async def test(ship: Ship) -> None:
        host, environment = ship.host, ship.environment
        assert environment.state is EnvironmentState.READY
        ship.crew.terminate("i-1")
        await asyncio.sleep(5)
        assert (host.state, environment.state) == (InstanceState.TERMINATED, EnvironmentState.DEAD)
        assert ship.messages == ["TerminateFailed: Unforeseen: who would have thought of that?"]

    sail(tmp_path, test, "terminate")


def test_a_start_that_breaks_is_a_failed_init(tmp_path: Path) -> None:
    async def test(ship: Ship) -> None:
        assert ship.environment.state is EnvironmentState.FAILED
        assert ship.failed == ["Unforeseen: who would have thought of that?"]

    sail(tmp_path, test, "start_environment")


def test_an_environment_whose_stop_breaks_does_not_drain_for_ever(tmp_path: Path) -> None:
    async def test(ship: Ship) -> None:
        ship.crew.drain("e1")
        await asyncio.sleep(5)
        assert ship.environment.state is EnvironmentState.DEAD

    sail(tmp_path, test, "stop_environment")


@pytest.mark.parametrize(
    ("document", "wanted"),
    [
        ({}, (512, "INFO", "INFO")),
        (
            {
                "EphemeralStorage": {"Size": 4096},
                "LoggingConfig": {"ApplicationLogLevel": "ERROR", "SystemLogLevel": "WARN"},
            },
            (4096, "ERROR", "WARN"),
        ),
    ],
    ids=["nothing", "everything"],
)
def test_an_environment_is_what_its_function_is_configured_to_be(
    tmp_path: Path, document: dict[str, Any], wanted: tuple[int, str, str]
) -> None:
    async def test(ship: Ship) -> None:
        (spec,) = ship.provider.started
        assert (spec.tmp_size, spec.application_log_level, spec.system_log_level) == wanted

    sail(tmp_path, test, **document)


def test_a_record_that_is_needed_once_is_written_once(tmp_path: Path) -> None:
    async def test(ship: Ship) -> None:
        (instance,) = ship.provider.running
        for time in range(3):
            for once in (True, False):
                record = msgspec.Raw(msgspec.json.encode({"time": time, "record": f"once: {once}"}))
                instance.tell(LogRecord("e1", record, once))
        ship.journal.flush()
        lines = ship.journal.function_log("f").read_text().splitlines()
        assert [json.loads(line)["record"] for line in lines] == ["once: True", *["once: False"] * 3]

    sail(tmp_path, test)
