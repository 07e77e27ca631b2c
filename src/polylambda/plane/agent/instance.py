"""One instance, as its agent sees it: its environments, and a look at each of them every second."""

from __future__ import annotations

import asyncio
import os
import time
from typing import TYPE_CHECKING

from polylambda.plane.agent.environment import Environment
from polylambda.plane.agent.protocol import HEARTBEAT, InstanceMeasures
from polylambda.plane.agent.table import MIB, Watch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from polylambda.plane.agent.site import Site
    from polylambda.plane.specs import EnvironmentSpec, InstanceSpec

TMP_EVERY = 5  # measures between two looks at the functions' /tmp, which may hold many files


class Instance:
    """The environments of an instance: started, stopped, measured."""

    def __init__(self, spec: InstanceSpec, site: Site) -> None:
        """Begin without any."""
        self.spec = spec
        self._site = site
        self._environments: dict[str, Environment] = {}
        self._lives: dict[str, asyncio.Task[None]] = {}

    def __iter__(self) -> Iterator[Environment]:
        return iter(self._environments.values())

    def get(self, environment: str) -> Environment | None:
        """Return an environment; None: there is none, or it is gone."""
        return self._environments.get(environment)

    def start(self, spec: EnvironmentSpec) -> bool:
        """Start an environment; False: there is one with its id."""
        if spec.id in self._environments:
            return False
        environment = self._environments[spec.id] = Environment(spec, self._site)
        task = self._lives[spec.id] = asyncio.create_task(environment.live(), name=f"environment {spec.id}")
        task.add_done_callback(lambda _: self._gone(spec.id))
        return True

    async def stop(self, drain: float) -> None:
        """Stop all of them, each when it has answered what it holds, or after `drain` seconds; wait until they are gone."""
        for environment in self:
            environment.stop(drain)
        if self._lives:
            await asyncio.wait(tuple(self._lives.values()))

    async def close(self) -> None:
        """End everything."""
        await self.stop(0.0)
        await self._site.commands.close()

    async def watch(self) -> None:
        """Measure everything once a second, for ever."""
        loop = asyncio.get_running_loop()
        tmp_task: asyncio.Task[None] | None = None
        processes = Watch()
        number = 0
        last = time.monotonic()
        while True:
            await asyncio.sleep(HEARTBEAT)
            table = processes.read(environment.pid for environment in self if environment.pid)
            for environment in self:
                environment.measure(table)
            now = time.monotonic()
            self._tell(now - last)
            last = now
            number += 1
            if number % TMP_EVERY == 0 and (tmp_task is None or tmp_task.done()):
                tmp_task = loop.create_task(self._measure_tmps())

    def _tell(self, seconds: float) -> None:
        running = [environment for environment in self if environment.pid]
        vcpus = sum(environment.gauge.cpu * environment.spec.vcpus for environment in running)
        memory = sum(environment.gauge.memory for environment in running)
        self._site.emit(InstanceMeasures(min(1.0, vcpus / self.spec.vcpus), memory, len(running), os.getpid()))

    async def _measure_tmps(self) -> None:
        for environment in tuple(self):
            environment.gauge.measure_tmp(await asyncio.to_thread(_size, environment.tmp))

    def _gone(self, environment: str) -> None:
        del self._environments[environment]
        self._lives.pop(environment).result()  # a defect of ours is not to be passed over


def _size(folder: Path) -> float:
    """The MiB that the files in a folder take."""
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(root, name)).st_blocks * 512  # there may be many
            except OSError:
                continue  # it was removed meanwhile
    return total / MIB
