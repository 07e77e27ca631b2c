"""What must hold of the scaler whatever the traffic, the delays and the failures are."""

from __future__ import annotations

import itertools
import math
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from polylambda.plane.scaler import Decisions, EnvironmentFacts, Policy
from polylambda.plane.states import InstanceState
from tests.unit.scaler_world import ALIVE, World, provider, version

SIZES = st.sampled_from([(1.0, 2048), (1.0, 8192), (2.0, 4096), (4.0, 8192)])
ZONES = st.sampled_from([("a",), ("a", "b"), ("a", "b", "c"), ("a", "b", "c", "d")])
PHASES = st.lists(
    st.tuples(
        st.integers(1, 30),  # ticks
        st.floats(0, 20),  # load of CPU, in environments
        st.floats(0, 20),  # of slots
        st.sampled_from([0, 0, 0, 1]),  # refusals a tick
        st.sampled_from(["", "", "", "kill", "fail", "break", "limits"]),
    ),
    min_size=1,
    max_size=6,
)
# Tests of what a long time does need no fine one.
COARSE = Policy(tick=10.0)


class Watched(World):
    """A world in which every decision is checked against what must always hold."""

    def follow(self, decisions: Decisions) -> None:
        before = {name: len(self.staying(name)) for name in self.versions}
        self.check_rooms(decisions)
        super().follow(decisions)
        self.check_limits(decisions, before)

    def check_rooms(self, decisions: Decisions) -> None:
        placed = [(start.version, start.instance) for start in decisions.start]
        alive = [each for each in self.environments.values() if each.state in ALIVE and each.id not in decisions.drain]
        rooms = {name: (each.type.vcpus, each.type.memory) for name, each in self.instances.items()}
        rooms |= {launch.id: (launch.type.vcpus, launch.type.memory) for launch in decisions.launch}
        names = [launch.id for launch in decisions.launch] + [start.id for start in decisions.start]
        assert len(set(names)) == len(names), "an id was given twice"
        vcpus: Counter[str] = Counter()
        memory: Counter[str] = Counter()
        for of, host in [(each.version, each.instance) for each in alive] + placed:
            vcpus[host] += self.versions[of].vcpus
            memory[host] += self.versions[of].memory
        for name, room in rooms.items():
            assert vcpus[name] <= room[0] + 1e-6, "more vCPUs than it has"
            assert memory[name] <= room[1], "more memory than it has"
        for _, host in placed:
            if host in self.instances:
                assert self.instances[host].state in (InstanceState.PENDING, InstanceState.RUNNING)

    def check_limits(self, decisions: Decisions, before: dict[str, int]) -> None:
        for each in self.providers:
            vcpus = sum(one.type.vcpus for one in self.instances.values() if one.provider == each.name)
            assert vcpus <= max(each.max_vcpus, self.ceiling.get(each.name, 0)), "above MaxVCpuCount"
            self.ceiling[each.name] = vcpus  # lowered limits end nothing
        drained = Counter(self.version_of[name] for name in decisions.drain if name in self.version_of)
        for name, facts in self.versions.items():
            wanted = decisions.wanted[name]
            assert wanted >= facts.minimum
            assert facts.maximum is None or wanted <= facts.maximum
            staying = len(self.staying(name))
            assert staying <= max(wanted, 0), "more than wanted"
            if drained[name]:
                assert len(self.alive(name)) >= min(wanted, before[name]), "drained below what is wanted"
        self.version_of = {each.id: each.version for each in self.environments.values()}

    def staying(self, name: str) -> list[EnvironmentFacts]:
        """What is alive on instances that are not being emptied."""
        leaving = self.scaler._leaving
        return [each for each in self.alive(name) if each.instance not in leaving]

    ceiling: dict[str, int]
    version_of: dict[str, str]


def watched(*args, **kwargs) -> Watched:
    world = Watched(*args, **kwargs)
    world.ceiling, world.version_of = {}, {}
    return world


def play(world: Watched, phases: list[tuple[int, float, float, int, str]], name: str = "v") -> None:
    for ticks, cpu, slots, refusals, event in phases:
        world.load[name], world.slots[name], world.refusals[name] = cpu, slots, refusals
        world.broken = event == "break"
        world.failing = {name} if event == "fail" else set()
        if event == "kill" and world.instances:
            victim = sorted(world.instances)[int(cpu) % len(world.instances)]
            if world.instances[victim].state is not InstanceState.PENDING:
                world.kill(victim)
        if event == "limits":
            world.versions[name].minimum, world.versions[name].maximum = int(cpu) // 4, int(cpu) // 4 + int(slots)
        world.tick(ticks)
    world.broken, world.failing, world.refusals = False, set(), {}


@given(phases=PHASES, size=SIZES, zones=ZONES, boot=st.integers(1, 6), init=st.integers(1, 4), vcpus=st.integers(2, 60))
@settings(max_examples=50)
def test_no_limit_is_ever_crossed(phases, size, zones, boot: int, init: int, vcpus: int) -> None:
    world = watched(
        version(vcpus=size[0], memory=size[1]),
        version("w", minimum=2, maximum=5),
        providers=[provider(zones=zones, max_vcpus=vcpus)],
        boot=boot,
        init=init,
        policy=Policy(max_age=400.0),
    )
    world.load["w"] = 3.0
    play(world, phases)


@given(phases=PHASES, size=SIZES, zones=ZONES)
@settings(max_examples=20)
def test_zones_are_even_once_there_is_rest(phases, size, zones) -> None:
    pool = provider(zones=zones, max_vcpus=10_000)
    world = watched(version(vcpus=size[0], memory=size[1]), providers=[pool], policy=COARSE)
    play(world, phases)
    world.load, world.slots = {"v": 2.6}, {}
    world.seconds(4500)
    stay = world.staying("v")
    assert len(stay) == world.decisions.wanted["v"]
    counts = Counter(world.instances[each.instance].zone for each in stay)
    assert max(counts.values(), default=0) - min(counts[zone] for zone in zones) <= 1
    assert len({each.instance for each in stay}) >= min(len(stay), 3), "the first three are on instances of their own"


@given(phases=PHASES, load=st.floats(0, 15), slots=st.floats(0, 15))
@settings(max_examples=12)
def test_a_constant_load_ends_all_movement(phases, load: float, slots: float) -> None:
    world = watched(version(), policy=COARSE)
    play(world, [phase for phase in phases if phase[4] != "limits"])
    world.load["v"], world.slots["v"] = load, slots
    # From all that is allowed, a tenth a minute down to what this load wants.
    world.seconds(4800)
    needed = max(3, math.ceil(max(load, slots) / 0.5 - 1e-6))
    assert needed <= world.decisions.wanted["v"] <= max(3, math.ceil(max(load, slots) / 0.5 * 1.1))
    before = len(world.history)
    world.seconds(900)
    for decisions in world.history[before:]:
        assert decisions == Decisions(wanted=decisions.wanted)
        assert decisions.wanted == world.decisions.wanted


@given(load=st.floats(0, 60), boot=st.integers(1, 10), init=st.integers(1, 5))
@settings(max_examples=20)
def test_what_a_load_needs_is_there_within_a_bounded_time(load: float, boot: int, init: int) -> None:
    world = watched(version(), providers=[provider(max_vcpus=10_000)], boot=boot, init=init)
    world.tick(boot + init + 1)
    world.slots["v"] = load
    needed = max(3, math.ceil(load / 0.5 - 1e-6))
    # Every doubling takes a start and what the surge window needs to see it; the last, smaller steps take the stable one.
    policy = Policy()
    doubling = boot + init + 2 + policy.surge_window / policy.tick
    steps = math.ceil(math.log2(needed / 3)) if needed > 3 else 0
    world.tick(round((steps + 1) * doubling + policy.stable_window / policy.tick))
    assert len(world.ready()) >= needed
    assert world.decisions.wanted["v"] <= max(needed * 1.1 + 1, 3)


@given(noise=st.lists(st.floats(-0.08, 0.08), min_size=30, max_size=30), load=st.floats(2, 15))
@settings(max_examples=10)
def test_noise_around_a_load_moves_nothing_for_long(noise: list[float], load: float) -> None:
    world = watched(version(), providers=[provider(max_vcpus=10_000)])
    for part in noise * 5:
        world.slots["v"] = load * (1 + part)
        world.tick()
    before = len(world.history)
    for part in noise * 6:
        world.slots["v"] = load * (1 + part)
        world.tick()
    wanted = [decisions.wanted["v"] for decisions in world.history[before:]]
    turns = sum(1 for one, other in itertools.pairwise(wanted) if one != other)
    assert turns <= 2 or max(wanted) - min(wanted) <= max(1, 0.1 * load / 0.5)


@given(
    deaths=st.lists(st.tuples(st.integers(1, 40), st.integers(0, 99)), max_size=10),
    load=st.floats(0, 10),
)
@settings(max_examples=30)
def test_never_below_the_minimum_but_for_what_died(deaths: list[tuple[int, int]], load: float) -> None:
    """Whatever moves, rotates or is saved: the scaler itself never takes Ready environments below the minimum."""
    world = watched(version(), policy=Policy(max_age=120.0), boot=3, init=2)
    world.slots["v"] = load
    world.tick(10)
    for ticks, index in deaths:
        for _ in range(ticks):
            ready = len(world.ready())
            world.tick()
            assert len(world.ready()) >= min(3, ready)
        running = [name for name, each in sorted(world.instances.items()) if each.state is InstanceState.RUNNING]
        world.kill(running[index % len(running)])
    world.tick(20)
    assert len(world.ready()) >= 3
