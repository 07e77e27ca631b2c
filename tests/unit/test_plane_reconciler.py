"""What is wanted becomes what there is: the reconciler, the real scaler and router, and instances of straw."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest

from polylambda.plane.agent.protocol import EnvironmentChanged
from polylambda.plane.fleet import Environment
from polylambda.plane.reconciler import LEAST, SETTLED
from polylambda.plane.states import EnvironmentState, InstanceState, ProviderState, VersionState
from tests.unit.plane_records import provider, version
from tests.unit.plane_world import World, reconcile


async def active(world: World) -> None:
    world.put(provider(), version())
    await world.settle(lambda: world.state() is VersionState.ACTIVE)


def test_a_published_version_gets_three_environments_on_three_instances_in_three_zones(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        world.put(provider(), version(qualifier="$LATEST"), version())
        assert world.state() is VersionState.PENDING
        assert world.state("$LATEST") is VersionState.ACTIVE_NON_INVOCABLE
        assert world.reconciler.providers["pool"].state is ProviderState.ACTIVE
        await world.settle(lambda: world.state() is VersionState.ACTIVE)
        assert world.ready() == 3
        assert len({each.instance for each in world.fleet.environments.values()}) == 3
        assert {instance.spec.zone for instance in world.provider.running} == {"us-east-1a", "us-east-1b", "us-east-1c"}
        (spec, *_) = world.provider.started
        assert (spec.function_name, spec.qualifier, spec.slots, spec.handler) == ("f", "1", 4, "app.handler")
        life = world.reconciler.life(version().arn)
        assert life is not None
        await world.settle(lambda: life.applied == (3, None))

    reconcile(tmp_path, test)


def test_nothing_more_happens_when_everything_is_as_wanted(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        await active(world)
        before = set(world.fleet.environments), set(world.fleet.hosts)
        await asyncio.sleep(1200)
        assert (set(world.fleet.environments), set(world.fleet.hosts)) == before

    reconcile(tmp_path, test)


def test_a_function_whose_init_fails_is_failed_with_the_reason_and_not_tried_for_ever(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        world.provider.init_error = ("Runtime.InvalidEntrypoint", "there is no bootstrap")
        world.put(provider(), version())
        await world.settle(lambda: world.state() is VersionState.FAILED)
        status = world.reconciler.lives[version().arn].status
        assert (status.reason_code, status.reason) == ("FunctionError.InvalidEntryPoint", "there is no bootstrap")
        tries = len(world.provider.started)
        await asyncio.sleep(600)
        assert len(world.provider.started) == tries
        world.provider.init_error = None
        world.put(version(generation="b"))
        assert world.state() is VersionState.PENDING
        await world.settle(lambda: world.state() is VersionState.ACTIVE)

    reconcile(tmp_path, test)


def test_a_version_that_does_not_fit_is_failed_with_the_limit(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        world.put(provider(max_vcpus=2), version())
        await world.settle(lambda: world.state() is VersionState.FAILED)
        status = world.reconciler.lives[version().arn].status
        assert status.reason_code == "CapacityProviderScalingLimitExceeded"
        assert "MaxVCpuCount" in status.reason

    reconcile(tmp_path, test)


def test_more_max_vcpus_revive_what_did_not_fit(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        world.put(provider(max_vcpus=2), version())
        await world.settle(lambda: world.state() is VersionState.FAILED)
        world.put(provider(max_vcpus=400))
        assert world.state() is VersionState.PENDING
        await world.settle(lambda: world.state() is VersionState.ACTIVE)

    reconcile(tmp_path, test)


def test_a_lack_of_room_is_borne_for_some_real_seconds_however_fast_plane_time_passes(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        loop = asyncio.get_running_loop()
        world.clock.scale = 1000.0
        world.put(provider(max_vcpus=2), version())
        begin = loop.time()
        await world.settle(lambda: world.state() is VersionState.FAILED)
        assert loop.time() - begin >= LEAST  # virtual time

    reconcile(tmp_path, test)


def kill(world: World, victim: Environment) -> None:
    instance = world.provider.instances[victim.instance]
    instance.tell(EnvironmentChanged(victim.id, "Dead", "Runtime.ExitError", "killed"))


@pytest.mark.parametrize("scale", [1.0, 60.0])
def test_environments_that_die_as_soon_as_they_are_ready_are_started_ever_more_rarely(
    tmp_path: Path, scale: float
) -> None:
    async def test(world: World) -> None:
        world.clock.scale = scale
        await active(world)
        end = asyncio.get_running_loop().time() + 3600 / scale
        while asyncio.get_running_loop().time() < end:
            for each in list(world.fleet.environments.values()):
                if each.state is EnvironmentState.READY:
                    kill(world, each)
            await asyncio.sleep(0.25)
        assert len(world.provider.started) < 3 * 25

    reconcile(tmp_path, test)


def test_a_version_whose_environments_die_as_soon_as_they_are_ready_does_not_stay_pending(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        world.put(provider(), version())

        def failed_while_all_that_is_ready_dies() -> bool:
            for each in list(world.fleet.environments.values()):
                if each.state is EnvironmentState.READY:
                    kill(world, each)
            return world.state() is VersionState.FAILED

        await world.settle(failed_while_all_that_is_ready_dies, every=0.01)
        assert "exited soon after its init" in world.reconciler.lives[version().arn].status.reason

    reconcile(tmp_path, test)


def test_environments_that_die_with_their_instance_are_no_failed_inits(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        world.put(provider(), version())
        for _ in range(6):
            await world.settle(lambda: world.fleet.ready(f"{version().arn}@a") > 0)
            for instance in world.provider.running:
                instance.die()
        assert world.state() is not VersionState.FAILED
        await world.settle(lambda: world.ready() == 3)
        assert world.state() is VersionState.ACTIVE

    reconcile(tmp_path, test)


def test_a_dead_environment_is_replaced_at_once(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        await active(world)
        await asyncio.sleep(SETTLED)
        victim = next(iter(world.fleet.environments.values()))
        instance = world.provider.instances[victim.instance]
        instance.tell(EnvironmentChanged(victim.id, "Dead", "Runtime.ExitError", "killed"))
        assert victim.state is EnvironmentState.DEAD
        assert world.router.in_flight(victim.id) == 0
        await world.settle(lambda: world.ready() == 3, within=2)
        assert victim.id not in world.fleet.environments
        assert world.state() is VersionState.ACTIVE

    reconcile(tmp_path, test)


def test_an_instance_whose_agent_is_lost_is_replaced_with_what_was_on_it(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        await active(world)
        victim = world.provider.running[0]
        victim.die()
        assert world.fleet.hosts[victim.spec.id].state is InstanceState.UNHEALTHY
        assert world.ready() == 2
        await world.settle(lambda: world.ready() == 3 and victim.spec.id not in world.fleet.hosts)
        assert victim.terminated
        world.journal.flush()
        lines = (tmp_path / "logs/capacity-provider/pool.jsonl").read_text().splitlines()
        told = [(json.loads(line)["level"], json.loads(line)["message"]) for line in lines]
        assert told.count(("INFO", "Launching")) == 4
        assert ("WARN", "HealthCheckFailed: its stream of events ended") in told
        assert told.count(("INFO", "Terminated")) == 1

    reconcile(tmp_path, test)


def test_an_instance_that_cannot_be_launched_is_tried_again(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        world.provider.launch_error = True
        world.put(provider(), version())
        await asyncio.sleep(5)
        assert world.state() is VersionState.PENDING
        assert not world.provider.instances
        world.provider.launch_error = False
        await world.settle(lambda: world.state() is VersionState.ACTIVE, within=600)

    reconcile(tmp_path, test)


def test_zero_environments_deactivate_a_version_and_more_bring_it_back(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        await active(world)
        world.put(version().with_scaling(0, 0))
        assert world.state() is VersionState.DEACTIVATING
        assert world.reconciler.lives[version().arn].serving is None
        await world.settle(lambda: world.state() is VersionState.DEACTIVATED)
        assert world.reconciler.lives[version().arn].applied == (0, 0)
        assert world.ready() == 0
        world.put(version().with_scaling(1, 2))
        assert world.state() is VersionState.PENDING
        await world.settle(lambda: world.state() is VersionState.ACTIVE)

    reconcile(tmp_path, test)


def test_more_environments_when_the_minimum_rises(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        await active(world)
        world.put(version().with_scaling(5, 6))
        life = world.reconciler.lives[version().arn]
        assert life.applied == (3, None)
        await world.settle(lambda: world.ready() == 5)
        await world.settle(lambda: life.applied == (5, 6))
        assert world.state() is VersionState.ACTIVE

    reconcile(tmp_path, test)


def test_the_old_code_serves_until_the_new_code_is_ready(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        world.put(provider(), version(qualifier="$LATEST.PUBLISHED"))
        await world.settle(lambda: world.state("$LATEST.PUBLISHED") is VersionState.ACTIVE)
        life = next(iter(world.reconciler.lives.values()))
        old = life.serving
        assert old is not None
        world.put(version(qualifier="$LATEST.PUBLISHED", generation="b"))
        assert life.state is VersionState.PENDING
        while life.state is VersionState.PENDING:
            assert life.serving is old
            assert world.fleet.ready(old.id) == 3
            await asyncio.sleep(0.25)
        assert life.state is VersionState.ACTIVE
        assert life.serving is not None
        assert life.serving.record.generation == "b"
        await world.settle(lambda: world.fleet.ready(old.id) == 0)
        assert world.ready() == 3

    reconcile(tmp_path, test)


def test_new_code_takes_over_at_the_size_of_the_old_and_where_there_is_no_room_the_old_makes_some(
    tmp_path: Path,
) -> None:
    async def grown(world: World, environments: int) -> None:
        while world.ready() < environments:
            for instance in world.provider.running:
                instance.measure(0.9)
            await asyncio.sleep(1)

    async def test(world: World) -> None:
        latest = version(qualifier="$LATEST.PUBLISHED")
        world.put(provider(max_vcpus=16), latest)
        await world.settle(lambda: world.state("$LATEST.PUBLISHED") is VersionState.ACTIVE)
        life = world.reconciler.lives[latest.arn]
        await grown(world, 6)
        world.put(replace(latest, generation="b"))
        await world.settle(lambda: life.state is VersionState.ACTIVE)
        assert world.fleet.ready(life.revision.id) >= 5
        await grown(world, 16)
        world.put(replace(latest, generation="c"))
        while life.state is VersionState.PENDING:
            assert life.serving is not None
            assert world.fleet.ready(life.serving.id) >= 1
            await asyncio.sleep(0.5)
        assert life.state is VersionState.ACTIVE
        assert world.fleet.ready(life.revision.id) >= 3

    reconcile(tmp_path, test)


def test_a_deleted_version_and_its_capacity_provider_go_when_nothing_is_left(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        await active(world)
        world.put(replace(version(), deleting=True))
        assert world.state() is VersionState.DELETING
        assert world.store.version("f", "1") is not None
        await world.settle(lambda: world.store.version("f", "1") is None)
        assert not world.fleet.environments
        world.put(provider(deleting=True))
        assert world.reconciler.providers["pool"].state is ProviderState.DELETING
        await world.settle(lambda: world.store.provider("pool") is None)
        assert not world.fleet.hosts
        assert not world.reconciler.providers
        assert not world.reconciler.lives

    reconcile(tmp_path, test)


def test_latest_stays_until_nothing_else_of_the_function_is_left(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        latest = version(qualifier="$LATEST")
        world.put(provider(), latest, version(), version("g", "$LATEST"))
        await world.settle(lambda: world.state() is VersionState.ACTIVE)
        world.put(replace(version(), deleting=True), replace(latest, deleting=True))
        while world.store.versions_of("f"):
            assert world.store.version("f", "$LATEST") is not None
            await asyncio.sleep(0.01)
        assert not world.fleet.environments
        assert world.store.version("g", "$LATEST") is not None

    reconcile(tmp_path, test)


def test_busy_environments_get_company(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        await active(world)
        for _ in range(60):
            for instance in world.provider.running:
                instance.measure(0.95)
            await asyncio.sleep(1)
        assert world.ready() > 3
        document = world.snapshot.document()
        assert document["versions"][0]["ready"] == world.ready()
        assert document["instances"][0]["cpu"] == 0.95
        assert {each["cpu"] for each in document["environments"]} == {0.95}
        gauges = world.snapshot.gauges()
        assert gauges["ExecutionEnvironmentCPUUtilization"].popitem()[1] == pytest.approx(95)
        assert sum(gauges["vCPUAllocated"].values()) == world.ready()

    reconcile(tmp_path, test)


def test_the_next_plane_brings_up_the_same(tmp_path: Path) -> None:
    reconcile(tmp_path, active)

    async def test(world: World) -> None:
        await world.settle(lambda: bool(world.reconciler.lives) and world.state() is VersionState.ACTIVE)
        assert world.ready() == 3

    reconcile(tmp_path, test)


def test_what_functions_write_goes_to_the_log_of_the_function(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        await active(world)
        instance = world.provider.running[0]
        instance.log(next(iter(instance.client.started)), {"type": "function", "record": "hello"})
        instance.log("unknown", {"type": "function", "record": "lost"})
        world.journal.flush()
        assert world.journal.function_log("f").read_text() == '{"type":"function","record":"hello"}\n'

    reconcile(tmp_path, test)
