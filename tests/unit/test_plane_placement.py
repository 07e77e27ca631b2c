from __future__ import annotations

import itertools

from polylambda.plane.instance_types import INSTANCE_TYPES
from polylambda.plane.placement import Book
from polylambda.plane.retries import Retries
from polylambda.plane.scaler import EnvironmentFacts, InstanceFacts, Policy, VersionFacts
from polylambda.plane.states import EnvironmentState, InstanceState
from tests.unit.scaler_world import provider, version

READY, STARTING, DRAINING = EnvironmentState.READY, EnvironmentState.STARTING, EnvironmentState.DRAINING


def instance(name: str, zone: str = "a", kind: str = "m7g.xlarge", state: InstanceState = InstanceState.RUNNING):
    return InstanceFacts(name, "pool", INSTANCE_TYPES[kind], zone, state, 0.0)


def book(instances: list[InstanceFacts], *on: str, versions: list[VersionFacts] | None = None, **more) -> Book:
    """`on` says what is where: "v@i1", with a colon and a state other than READY after it."""
    numbers = itertools.count(1)
    environments = []
    for each in on:
        place, _, state = each.partition(":")
        name, _, host = place.partition("@")
        environments.append(
            EnvironmentFacts(f"on{next(numbers)}", name, host, EnvironmentState(state) if state else READY)
        )
    known = {each.id: each for each in versions or [version()]}
    options = {"leaving": (), "policy": Policy(spread=0), "new_id": lambda kind: f"{kind}-{next(numbers)}"} | more
    return Book(options.pop("provider", provider(zones=("a", "b"))), instances, environments, known, **options)


def test_the_fullest_instance_on_which_it_fits_is_taken() -> None:
    it = book([instance("empty"), instance("half"), instance("full")], "v@half", "v@half", *["v@full"] * 4)
    # Zone b has none of them yet.
    assert it.place(version()) is None
    assert [start.instance for start in it.starts] == [it.launches[0].id]
    assert it.launches[0].zone == "b"
    for _ in range(5):
        it.place(version())
    assert it.place(version()) is None
    assert it.starts[-1].instance == "half"


def test_what_drains_takes_room_but_does_not_count_for_a_zone() -> None:
    it = book([instance("i", kind="m7g.large"), instance("j", "b")], "v@i:Draining", "v@i:Draining", "v@j")
    it.place(version())
    assert it.launches[0].zone == "a"


def test_an_instance_that_leaves_or_is_broken_gets_nothing() -> None:
    instances = [
        instance("i"),
        instance("j", state=InstanceState.UNHEALTHY),
        instance("k", state=InstanceState.DRAINING),
    ]
    it = book(instances, leaving={"i"})
    assert it.hosts == {}
    it.place(version())
    assert len(it.launches) == 1
    assert it.budget == 400 - 12 - 2


def test_an_instance_with_something_unknown_on_it_gets_nothing() -> None:
    it = book([instance("i")], "deleted@i", provider=provider(zones=("a",)))
    it.place(version())
    assert it.starts[0].instance != "i"


def test_a_new_instance_goes_to_the_smallest_of_the_even_zones() -> None:
    it = book([instance("i", kind="m7g.4xlarge")], *["w@i"] * 16, versions=[version(), version("w")])
    it.place(version())
    assert it.launches[0].zone == "b"


def test_surplus_is_what_does_not_serve_yet_then_what_is_on_the_emptiest() -> None:
    instances = [instance("i"), instance("j"), instance("k", "b")]
    it = book(instances, "v@i", "v@i", "v@i", "v@j", "v@j:Starting", "v@k", "v@k")
    assert it.surplus(version(), 3) == ["on5", "on4", "on1"]


def test_the_last_few_stay_on_instances_of_their_own() -> None:
    instances = [instance("i"), instance("j"), instance("k")]
    it = book(
        instances, "v@i", "v@j", "v@k", "v@k", "w@k", policy=Policy(), versions=[version(), version("w")]
    )  # k is the fullest
    assert it.surplus(version(), 1) == ["on3"]


def test_what_is_taken_elsewhere_is_not_emptied_too() -> None:
    instances = [instance("i"), instance("j"), instance("k")]
    it = book(instances, "v@i", "v@j", *["v@k"] * 3)
    known = {"v": version()}
    assert it.spare(it.hosts["i"], known)
    assert not it.spare(it.hosts["k"], known)  # it is to take what is on i
    assert not it.spare(it.hosts["j"], known)  # there is no room left but on i, which is to go


def test_what_does_not_fit_leaves_no_trace() -> None:
    it = book([instance("i"), instance("j")], "v@i", "v@i", "v@j", "v@j", "v@j")
    before = [(host.vcpus, host.memory, dict(host.alive)) for host in it.hosts.values()]
    assert not it.spare(it.hosts["i"], {"v": version()})
    assert [(host.vcpus, host.memory, dict(host.alive)) for host in it.hosts.values()] == before
    assert it.spare(it.hosts["i"], {"v": version()}) is False


def test_nothing_is_moved_that_is_in_motion() -> None:
    for state in ("Starting", "Draining"):
        it = book([instance("i"), instance("j")], f"v@i:{state}", "v@j")
        assert not it.spare(it.hosts["i"], {"v": version()})


def test_pauses_double_up_to_the_longest() -> None:
    retries, pauses, now = Retries(4.0, 30.0), [], 0.0
    for number in range(6):
        retries.observe(now, [("v", f"e{number}")], [])
        before = now
        while retries.held(now, "v"):
            now += 1.0
        pauses.append(now - before)
    assert pauses == [4.0, 8.0, 16.0, 30.0, 30.0, 30.0]
    assert not retries.held(now, "other")


def test_several_that_fail_at_a_time_are_one_failure_and_old_ones_none() -> None:
    retries = Retries(4.0, 30.0)
    retries.observe(0.0, [("v", "e1"), ("v", "e2"), ("v", "e3")], [])
    retries.observe(2.0, [("v", "e1"), ("v", "e2")], [])
    assert retries.held(3.0, "v")
    assert not retries.held(4.0, "v")


def test_only_what_works_since_then_ends_a_pause() -> None:
    retries = Retries(4.0, 30.0)
    retries.observe(0.0, [("v", "e1")], [("v", "old")])
    retries.observe(1.0, [], [("v", "old")])
    assert retries.held(1.0, "v")
    retries.observe(2.0, [], [("v", "old"), ("v", "new")])
    assert not retries.held(2.0, "v")


def test_pauses_of_what_is_gone_are_forgotten() -> None:
    retries = Retries(4.0, 30.0)
    retries.observe(0.0, [("v", "e1"), ("w", "e2")], [])
    retries.keep({"w"})
    assert not retries.held(1.0, "v")
    assert retries.held(1.0, "w")
