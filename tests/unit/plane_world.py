"""A plane without its API, on a virtual clock: the real reconciler, scaler and router, and instances of straw."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from polylambda.plane.clock import Clock
from polylambda.plane.crew import Crew
from polylambda.plane.fleet import Fleet
from polylambda.plane.invoker import Invoker
from polylambda.plane.journal import Journal
from polylambda.plane.metrics import Metrics
from polylambda.plane.options import PlaneOptions
from polylambda.plane.reconciler import Reconciler
from polylambda.plane.router import Router
from polylambda.plane.scaler import Scaler
from polylambda.plane.snapshot import Snapshot
from polylambda.plane.states import EnvironmentState, VersionState
from polylambda.plane.store import Store
from tests.unit import virtual_loop
from tests.unit.fake_fleet import FakeProvider


class World:
    """A plane without its API: `settle` waits for what should become true."""

    def __init__(self, folder: Path, store: Store) -> None:
        loop = asyncio.get_running_loop()
        numbers = itertools.count(1)
        self.store = store
        self.clock = Clock(source=loop.time)
        self.fleet = Fleet()
        self.router = Router(random.Random(1))
        self.provider = FakeProvider()
        self.journal = Journal(folder / "logs")
        self.metrics = Metrics()
        options = PlaneOptions(data_dir=folder, cores_per_vcpu=1)
        self.crew = Crew(self.fleet, self.router, self.provider, self.journal, self.clock, options)
        scaler = Scaler(new_id=lambda kind: f"{kind}-{next(numbers)}")
        self.reconciler = Reconciler(store, self.fleet, self.router, scaler, self.crew, self.clock)
        self.crew.on_change = self.reconciler.wake
        self.crew.on_init_failed = self.reconciler.init_failed
        self.invoker = Invoker(self.router, self.fleet, self.metrics, self.clock)
        self.snapshot = Snapshot(self.fleet, self.reconciler, self.metrics, self.clock)

    def put(self, *records: object) -> None:
        for record in records:
            self.store.put_provider(record) if hasattr(record, "subnets") else self.store.put_version(record)
        self.reconciler.wanted_changed()

    def state(self, qualifier: str = "1") -> VersionState:
        life = next(life for life in self.reconciler.lives.values() if life.record.qualifier == qualifier)
        return life.state

    def ready(self) -> int:
        return sum(each.state is EnvironmentState.READY for each in self.fleet.environments.values())

    async def settle(self, condition: Callable[[], bool], *, within: float = 120.0, every: float = 0.25) -> None:
        end = asyncio.get_running_loop().time() + within
        while not condition():
            assert asyncio.get_running_loop().time() < end, "it never became true"
            await asyncio.sleep(every)


def reconcile(folder: Path, test: Callable[[World], Awaitable[None]]) -> None:
    defects: list[dict[str, Any]] = []

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: defects.append(context))
        with closing(Store(folder)) as store:
            world = World(folder, store)
            task = asyncio.create_task(world.reconciler.run())
            try:
                await test(world)
                assert not task.done() or task.result() is None
            finally:
                task.cancel()
                await asyncio.wait([task])
                await world.crew.end(drain=0)
                world.journal.flush()
            assert not world.fleet.hosts
            assert all(instance.terminated for instance in world.provider.instances.values())

    virtual_loop.run(main())
    assert defects == []
