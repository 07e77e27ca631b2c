from __future__ import annotations

import pytest

from polylambda.plane.scaler import Policy, Scaler
from polylambda.plane.states import EnvironmentState, InstanceState
from tests.unit.scaler_world import World, provider, version

GROWN = 60  # seconds in which what is needed is there


def test_the_first_three_are_on_three_instances_in_three_zones() -> None:
    world = World(version())
    first = world.tick()
    assert first.wanted == {"v": 3}
    assert sorted(launch.zone for launch in first.launch) == ["a", "b", "c"]
    assert {launch.type.name for launch in first.launch} == {"m7g.large"}
    assert {start.instance for start in first.start} == {launch.id for launch in first.launch}
    assert world.tick().launch == []
    assert len(world.tick().start) == 0
    assert len(world.ready()) == 3


def test_one_zone_gives_three_instances_all_the_same() -> None:
    world = World(version(), providers=[provider(zones=("a",))])
    assert len(world.tick().launch) == 3


def test_an_instance_is_launched_on_which_two_of_them_fit() -> None:
    for memory, vcpus, name in ((2048, 1, "m7g.large"), (8192, 1, "m7g.xlarge"), (32768, 4, "m7g.4xlarge")):
        world = World(version(memory=memory, vcpus=vcpus))
        assert {launch.type.name for launch in world.tick().launch} == {name}


def test_without_room_for_two_there_is_one_on_an_instance() -> None:
    world = World(version(memory=8192), providers=[provider(types=("m7g.large",))])
    assert {launch.type.name for launch in world.tick().launch} == {"m7g.large"}


def test_a_second_version_uses_what_is_there() -> None:
    world = World(version())
    world.seconds(GROWN)
    world.versions["w"] = version("w")
    decisions = world.tick()
    assert decisions.launch == []
    assert sorted(start.instance for start in decisions.start) == sorted(world.instances)


@pytest.mark.parametrize(("cpu", "slots", "wanted"), [(3.0, 0.0, 6), (0.5, 3.0, 6), (2.1, 0.1, 5), (0.0, 0.0, 3)])
def test_wants_so_many_that_the_targets_are_met(cpu: float, slots: float, wanted: int) -> None:
    world = World(version())
    world.seconds(GROWN)
    world.load["v"], world.slots["v"] = cpu, slots
    world.seconds(180)
    assert world.decisions.wanted == {"v": wanted}
    assert len(world.ready()) == wanted


def test_a_target_of_the_provider_counts() -> None:
    world = World(version(), providers=[provider(cpu_target=0.25)])
    world.seconds(GROWN)
    world.load["v"] = 2.0
    world.seconds(180)
    assert len(world.ready()) == 8


def test_growth_is_at_most_double_what_is_ready() -> None:
    world = World(version(), init=5)
    world.seconds(GROWN)
    world.load["v"] = 100.0
    for _ in range(40):
        before = max(world.decisions.wanted["v"], 2 * len(world.ready()))
        world.tick()
        assert world.decisions.wanted["v"] <= before
    assert len(world.ready()) > 40


def test_a_refusal_is_a_surge_and_adds_one_at_least() -> None:
    world = World(version())
    world.seconds(GROWN)
    world.refusals["v"] = 1
    assert world.tick().wanted == {"v": 4}
    world.refusals["v"] = 0
    world.seconds(290)
    assert world.decisions.wanted == {"v": 4}
    world.seconds(20)
    assert world.decisions.wanted == {"v": 3}


def test_a_load_that_begins_with_refusals_is_not_averaged_away() -> None:
    world = World(version())
    world.seconds(GROWN)
    world.refusals["v"], world.slots["v"] = 5, 3.0
    assert world.tick().wanted == {"v": 6}


def test_a_surge_is_seen_within_the_surge_window() -> None:
    world = World(version())
    world.seconds(300)
    world.slots["v"] = 2.9
    world.seconds(6)
    assert world.decisions.wanted == {"v": 6}


def test_a_surge_does_not_shrink_and_scale_in_is_slow() -> None:
    world = World(version())
    world.load["v"] = 20.0
    world.seconds(180)
    assert len(world.ready()) == 40
    world.load["v"] = 0.0
    world.seconds(290)
    assert world.decisions.wanted == {"v": 40}
    counts = []
    for _ in range(10):
        world.seconds(60)
        counts.append(world.decisions.wanted["v"])
    for before, after in zip([40, *counts], counts, strict=False):
        assert before * 0.9 - 1 <= after <= before
    world.seconds(3600)
    assert world.decisions.wanted == {"v": 3}
    assert len(world.ready()) == 3
    assert world.evenness() == 0
    assert len(world.instances) == 3


def test_scale_in_leaves_some_more_than_is_needed_so_that_noise_does_nothing() -> None:
    world = World(version())
    world.load["v"] = 20.0
    world.seconds(180)
    world.load["v"] = 5.0
    world.seconds(3600)
    assert world.decisions.wanted == {"v": 11}
    changes = {tuple(decisions.wanted.items()) for decisions in world.history[-100:]}
    assert len(changes) == 1


def test_a_minimum_is_obeyed_at_once_and_a_maximum_too() -> None:
    world = World(version())
    world.seconds(GROWN)
    world.versions["v"].minimum = 10
    world.tick(4)
    assert len(world.ready()) == 10
    world.versions["v"].minimum, world.versions["v"].maximum = 1, 4
    world.tick(2)
    assert len(world.ready()) == 4
    assert world.evenness() <= 1


def test_zero_and_zero_end_all_and_the_instances_go_later() -> None:
    world = World(version())
    world.seconds(GROWN)
    world.versions["v"].minimum = world.versions["v"].maximum = 0
    assert len(world.tick().drain) == 3
    world.seconds(290)
    assert len(world.instances) == 3
    world.seconds(20)
    assert world.instances == {}
    world.versions["v"].minimum, world.versions["v"].maximum = 3, None
    world.seconds(GROWN)
    assert len(world.ready()) == 3


def test_max_vcpu_count_blocks_and_says_so() -> None:
    world = World(version(), providers=[provider(max_vcpus=4)])
    world.seconds(GROWN)
    assert len(world.instances) == 2
    assert len(world.ready()) == 2
    code, sentence = world.decisions.blocked["v"]
    assert code == "CapacityProviderScalingLimitExceeded"
    assert "Capacity provider pool uses 4 of the 4 vCPUs of its MaxVCpuCount" in sentence


def test_at_the_limit_room_counts_more_than_even_zones() -> None:
    world = World(version(), providers=[provider(max_vcpus=8)])
    world.load["v"] = 100.0
    world.seconds(GROWN)
    assert sum(each.type.vcpus for each in world.instances.values()) == 8
    assert len(world.ready()) == 8
    assert "v" in world.decisions.blocked


def test_a_smaller_instance_is_taken_when_the_limit_leaves_no_more() -> None:
    world = World(version(vcpus=2, memory=4096), providers=[provider(max_vcpus=14)])
    world.tick()
    assert sorted(each.type.vcpus for each in world.instances.values()) == [4, 4, 4]
    world.load["v"] = 9.0
    world.seconds(180)
    assert sorted(each.type.vcpus for each in world.instances.values()) == [2, 4, 4, 4]
    assert len(world.ready()) == 7


def test_no_type_is_large_enough() -> None:
    world = World(version(memory=32768, vcpus=16), providers=[provider(types=("m7g.large", "m7g.xlarge"))])
    code, sentence = world.tick().blocked["v"]
    assert code == "InsufficientCapacity"
    assert "has 16 vCPUs and 32768 MiB for an environment" in sentence
    assert world.instances == {}


def test_minimums_come_before_what_others_want_beyond_theirs() -> None:
    world = World(version(), providers=[provider(max_vcpus=12)])
    world.load["v"] = 100.0
    world.seconds(8)
    world.versions["w"] = version("w")
    world.seconds(2)
    assert len(world.alive("w")) + len(world.alive("v")) <= 12
    assert len(world.alive("w")) == 3


def test_room_is_shared_in_turn() -> None:
    world = World(version("v", minimum=6), version("w", minimum=6), providers=[provider(max_vcpus=8)])
    world.seconds(GROWN)
    assert (len(world.ready("v")), len(world.ready("w"))) == (4, 4)


def test_an_unhealthy_instance_is_replaced_at_once() -> None:
    world = World(version())
    world.seconds(GROWN)
    victim = next(iter(world.instances))
    zone = world.instances[victim].zone
    world.kill(victim)
    decisions = world.tick()
    assert decisions.terminate == [victim]
    assert [launch.zone for launch in decisions.launch] == [zone]
    assert len(decisions.start) == 1
    world.tick(2)
    assert len(world.ready()) == 3


def test_a_dead_environment_is_replaced_where_it_was() -> None:
    world = World(version())
    world.seconds(GROWN)
    victim = next(iter(world.environments.values()))
    victim.state = EnvironmentState.DEAD
    decisions = world.tick()
    assert [start.instance for start in decisions.start] == [victim.instance]
    assert decisions.launch == []


def test_what_was_not_done_is_decided_again() -> None:
    world = World(version())
    facts = world.facts()
    first, second = world.scaler.tick(2.0, facts), world.scaler.tick(4.0, facts)
    assert len(first.start) == len(second.start) == 3
    world.follow(second)
    world.seconds(GROWN)
    world.versions["v"].maximum = world.versions["v"].minimum = 1
    assert (
        world.scaler.tick(world.now + 2, world.facts()).drain == world.scaler.tick(world.now + 4, world.facts()).drain
    )


def test_an_init_that_fails_again_and_again_is_tried_ever_more_rarely() -> None:
    world = World(version())
    world.failing.add("v")
    world.seconds(3600)
    tried = sum(len(decisions.start) for decisions in world.history)
    assert 3 * 10 < tried < 3 * 25
    world.failing.clear()
    world.seconds(310)
    assert len(world.ready()) == 3


def test_one_that_dies_as_soon_as_it_is_ready_is_tried_ever_more_rarely() -> None:
    world = World(version())
    world.crashing.add("v")
    world.seconds(3600)
    tried = sum(len(decisions.start) for decisions in world.history)
    assert 3 * 10 < tried < 3 * 25
    world.crashing.clear()
    world.seconds(310)
    assert len(world.ready()) == 3


def test_one_that_dies_after_it_worked_is_replaced_at_once_every_time() -> None:
    world = World(version())
    world.seconds(GROWN)
    for _ in range(10):
        world.seconds(60)
        victim = world.ready()[0]
        assert victim.settled
        victim.state = EnvironmentState.DEAD
        assert len(world.tick().start) == 1


def test_what_dies_with_its_instance_is_not_to_blame() -> None:
    world = World(version())
    for _ in range(10):
        while len(world.ready()) < 3:
            world.tick()
        world.kill(world.ready()[0].instance)
        assert len(world.tick().start) == 1


def test_an_init_that_worked_makes_the_next_pause_short_again() -> None:
    world = World(version())
    world.failing.add("v")
    world.seconds(600)
    world.failing.clear()
    world.seconds(310)
    world.failing.add("v")
    world.kill(next(iter(world.instances)))
    world.tick(4)
    starts = [len(decisions.start) for decisions in world.history[-4:]]
    world.failing.clear()
    world.tick(6)
    assert len(world.ready()) == 3, starts


def test_one_that_works_does_not_excuse_the_others() -> None:
    world = World(version())
    world.seconds(GROWN)
    world.failing.add("v")
    world.versions["v"].minimum = 6
    world.seconds(3600)
    assert sum(len(decisions.start) for decisions in world.history) < 3 + 3 * 25


def test_launches_that_fail_are_tried_ever_more_rarely() -> None:
    world = World(version())
    world.broken = True
    world.seconds(3600)
    assert 3 * 10 < sum(len(decisions.launch) for decisions in world.history) < 3 * 25
    assert world.decisions.blocked["v"][0] == "InsufficientCapacity"
    world.broken = False
    world.seconds(310)
    assert len(world.ready()) == 3


def test_empty_instances_go_after_a_while() -> None:
    world = World(version())
    world.load["v"] = 20.0
    world.seconds(120)
    many = len(world.instances)
    world.versions["v"].maximum = 3
    world.seconds(290)
    assert len(world.instances) == many
    world.seconds(30)
    assert len(world.instances) == 3


def test_the_least_full_are_emptied_when_the_rest_has_room() -> None:
    world = World(version(), version("w"), providers=[provider(types=("m7g.xlarge",), zones=("a",))])
    world.load["v"], world.load["w"] = 6.0, 6.0
    world.seconds(120)
    before = len(world.instances)
    for name in ("v", "w"):
        world.load[name] = 2.5
    world.seconds(3600)
    assert len(world.instances) < before
    for _ in range(200):
        world.tick()
        assert len(world.ready("v")) >= 5
    assert sum(each.type.vcpus for each in world.instances.values()) <= 3 + len(world.ready("v")) + len(
        world.ready("w")
    )


def test_an_old_instance_goes_when_its_successor_is_ready() -> None:
    policy = Policy(max_age=1200.0)
    world = World(version(), policy=policy, boot=10, init=5)
    world.seconds(GROWN)
    old = set(world.instances)
    for _ in range(1000):
        world.tick()
        assert len(world.ready()) >= 3
        assert world.evenness() <= 1
    assert old.isdisjoint(world.instances)
    assert len(world.instances) <= 4
    ages = [world.now - each.launched_at for each in world.instances.values()]
    assert max(ages) < policy.max_age


def test_at_the_vcpu_limit_an_old_instance_stays() -> None:
    world = World(version(), providers=[provider(max_vcpus=6)], policy=Policy(max_age=600.0))
    world.seconds(GROWN)
    old = set(world.instances)
    world.seconds(3600)
    assert set(world.instances) == old
    assert len(world.ready()) == 3


def test_what_runs_of_a_deleted_version_drains() -> None:
    world = World(version(), version("w"))
    world.seconds(GROWN)
    del world.versions["w"]
    gone = {each.id for each in world.alive("w")}
    assert set(world.tick().drain) == gone
    assert len(world.ready()) == 3


def test_a_provider_that_is_no_more_loses_its_instances_at_once() -> None:
    world = World(version())
    world.seconds(GROWN)
    del world.versions["v"]
    world.providers = [provider("another")]
    assert len(world.tick().drain) == 3
    assert len(world.tick().terminate) == 3
    world.tick()
    assert world.instances == {}


def test_a_version_whose_provider_is_not_active_waits() -> None:
    world = World(version(provider="later"))
    assert world.tick().start == []
    assert world.decisions.wanted == {"v": 3}


def test_a_new_scaler_goes_on_with_what_is_there() -> None:
    world = World(version())
    world.load["v"] = 6.0
    world.seconds(180)
    world.scaler = Scaler(world.policy, new_id=world.new_id)
    decisions = world.tick()
    assert decisions.wanted == {"v": 12}
    assert (decisions.launch, decisions.start, decisions.drain, decisions.terminate) == ([], [], [], [])


def test_nothing_is_put_on_an_instance_that_drains() -> None:
    world = World(version())
    world.seconds(GROWN)
    victim = next(iter(world.instances))
    world.instances[victim].state = InstanceState.DRAINING
    world.tick(3)
    assert victim not in world.instances
    assert len(world.ready()) == 3


def test_two_providers_do_not_mix() -> None:
    world = World(
        version("v", provider="one"), version("w", provider="two"), providers=[provider("one"), provider("two")]
    )
    world.seconds(GROWN)
    assert len(world.instances) == 6
    for each in world.environments.values():
        assert world.instances[each.instance].provider == {"v": "one", "w": "two"}[each.version]
