"""Whatever happens to a fleet, and in whatever order: limits hold, no step is illegal, and it comes to rest as wanted."""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import replace
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from polylambda.plane.agent.protocol import EnvironmentChanged
from polylambda.plane.states import EnvironmentState, InstanceState, VersionState
from tests.unit.plane_records import provider, version
from tests.unit.plane_world import World, reconcile

MAX_VCPUS = 16

ACTIONS = ["kill environment", "kill agent", "busy", "idle", "scale up", "scale down", "zero", "republish", "delete"]
TROUBLES = ["launches fail", "launches work", "inits fail", "inits work", "stops are slow", "stops are fast"]

steps = st.lists(
    st.tuples(st.sampled_from(ACTIONS + TROUBLES), st.integers(0, 1000), st.sampled_from([0.0, 0.3, 1.0, 7.0, 100.0])),
    max_size=25,
)


class History:
    def __init__(self, world: World) -> None:
        self.world = world
        self.generation = 0
        self.scaling: tuple[int, int | None] = (3, None)
        self.load = 0.1

    def put(self, *, deleting: bool = False) -> None:
        record = version(qualifier="$LATEST.PUBLISHED", generation=str(self.generation)).with_scaling(*self.scaling)
        self.world.put(replace(record, deleting=deleting))

    def act(self, action: str, number: int) -> None:
        world, troubles = self.world, self.world.provider
        running = world.provider.running
        match action:
            case "kill environment" if world.fleet.environments:
                names = sorted(world.fleet.environments)
                victim = world.fleet.environments[names[number % len(names)]]
                if victim.sent:
                    instance = world.provider.instances[victim.instance]
                    instance.tell(EnvironmentChanged(victim.id, "Dead", "Runtime.ExitError", "killed"))
            case "kill agent" if running:
                running[number % len(running)].die()
            case "busy" | "idle":
                self.load = 0.9 if action == "busy" else 0.02
            case "scale up" | "scale down" | "zero":
                self.scaling = {"scale up": (5, 7), "scale down": (1, 2), "zero": (0, 0)}[action]
                self.put()
            case "republish":
                self.generation += 1
                self.put()
            case "delete":
                self.put(deleting=True)
            case "launches fail" | "launches work":
                troubles.launch_error = action == "launches fail"
            case "inits fail" | "inits work":
                troubles.init_error = ("Runtime.ExitError", "it died") if action == "inits fail" else None
            case "stops are slow" | "stops are fast":
                troubles.end_delay = 30.0 if action == "stops are slow" else 0.1
            case _:
                pass

    async def pass_time(self, seconds: float) -> None:
        end = asyncio.get_running_loop().time() + seconds
        while True:
            self.check()
            left = end - asyncio.get_running_loop().time()
            if left <= 0:
                return
            for instance in self.world.provider.running:
                instance.measure(self.load)
            await asyncio.sleep(min(1.0, left))

    def check(self) -> None:
        """What holds at any moment."""
        fleet = self.world.fleet
        assert sum(host.type.vcpus for host in fleet.hosts.values()) <= MAX_VCPUS
        for host in fleet.hosts.values():
            placed = [each.revision.record for each in host.environments.values() if not each.ended]
            assert sum(record.vcpus for record in placed) <= host.type.vcpus
            assert sum(record.memory for record in placed) <= host.type.memory
        for each in fleet.environments.values():
            on_live_host = fleet.hosts[each.instance].state in (InstanceState.RUNNING, InstanceState.DRAINING)
            assert on_live_host or each.state is not EnvironmentState.READY


@given(steps)
@settings(max_examples=12)
def test_a_fleet_survives_whatever_happens_and_comes_to_rest(history: list[tuple[str, int, float]]) -> None:
    async def test(world: World) -> None:
        story = History(world)
        world.put(provider(max_vcpus=MAX_VCPUS))
        story.put()
        for action, number, seconds in history:
            story.act(action, number)
            await story.pass_time(seconds)
        # Peace: what is wanted must come about.
        for action in ("launches work", "inits work", "stops are fast", "idle"):
            story.act(action, 0)
        story.generation += 1
        story.scaling = (3, None)
        await world.settle(lambda: not any(record.deleting for record in world.store.versions()))
        story.put()
        await story.pass_time(5)
        await world.settle(lambda: world.state("$LATEST.PUBLISHED") is VersionState.ACTIVE, within=1200)
        await story.pass_time(1200)
        life = world.reconciler.lives[version(qualifier="$LATEST.PUBLISHED").arn]
        assert life.serving is life.revision
        assert world.ready() == 3 == len(world.fleet.environments)
        assert {host.state for host in world.fleet.hosts.values()} == {InstanceState.RUNNING}
        story.put(deleting=True)
        world.put(provider(max_vcpus=MAX_VCPUS, deleting=True))
        await world.settle(lambda: not world.store.versions() and not world.store.providers())
        assert not world.fleet.hosts
        assert not world.fleet.environments

    with tempfile.TemporaryDirectory() as folder:
        reconcile(Path(folder), test)
