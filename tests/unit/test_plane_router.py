from __future__ import annotations

import random
from collections import Counter

import pytest

from polylambda.plane.router import Cause, Route, Router
from polylambda.plane.states import IllegalStep


def router(*environments: tuple[str, str], limit: int = 2, seed: int = 1) -> Router:
    made = Router(random.Random(seed))
    for name, zone in environments:
        made.add("v", name, zone=zone, limit=limit)
    return made


def taken(answer: Route | Cause) -> Route:
    assert isinstance(answer, Route)
    return answer


def test_fills_every_slot_and_no_more() -> None:
    it = router(("a", "1"), ("b", "2"))
    routes = [taken(it.route("v")) for _ in range(4)]
    assert Counter(route.environment for route in routes) == {"a": 2, "b": 2}
    assert it.route("v") is Cause.CONCURRENCY
    assert it.refusals("v") == 1
    routes[0].done()
    assert taken(it.route("v")).environment == routes[0].environment


def test_a_version_without_environments_is_refused_and_counted() -> None:
    it = router()
    assert it.route("other") is Cause.CONCURRENCY
    assert it.refusals("other") == 1
    assert it.refusals("v") == 0


def test_versions_do_not_share() -> None:
    it = router(("a", "1"), limit=1)
    it.add("w", "b", zone="1", limit=1)
    assert taken(it.route("w")).environment == "b"
    assert it.route("w") is Cause.CONCURRENCY
    assert taken(it.route("v")).environment == "a"


def test_of_two_the_less_used_is_chosen() -> None:
    it = router(("a", "1"), ("b", "2"), limit=10)
    for _ in range(10):
        first, second = taken(it.route("v")), taken(it.route("v"))
        assert first.environment != second.environment
    assert (it.in_flight("a"), it.in_flight("b")) == (10, 10)


def test_of_equals_the_one_with_less_cpu_is_chosen() -> None:
    it = router(("a", "1"), ("b", "2"), limit=10)
    it.observe("a", polls=None, hot=None, cpu=0.4)
    it.observe("b", polls=None, hot=None, cpu=0.2)
    for _ in range(10):
        route = taken(it.route("v"))
        assert route.environment == "b"
        route.done()


def test_shares_count_not_numbers() -> None:
    it = router(("small", "1"), limit=2)
    it.add("v", "large", zone="2", limit=8)
    for _ in range(5):
        taken(it.route("v"))
    assert (it.in_flight("small"), it.in_flight("large")) == (1, 4)


def test_zones_are_kept_even() -> None:
    it = router(*((f"{zone}{n}", zone) for zone in "123" for n in range(4)), limit=100)
    routes = [taken(it.route("v")) for _ in range(600)]
    zones = Counter(route.environment[0] for route in routes)
    assert max(zones.values()) - min(zones.values()) <= 12


def test_a_hot_environment_gets_nothing() -> None:
    it = router(("a", "1"), ("b", "2"), limit=3)
    it.observe("a", polls=3, hot=Cause.MEMORY, cpu=0.1)
    assert [taken(it.route("v")).environment for _ in range(3)] == ["b"] * 3
    it.observe("a", polls=3, hot=None, cpu=0.1)
    assert taken(it.route("v")).environment == "a"


@pytest.mark.parametrize("cause", [Cause.CPU, Cause.MEMORY, Cause.DISK])
def test_what_refuses_most_of_them_is_the_cause(cause: Cause) -> None:
    it = router(("a", "1"), ("b", "2"), ("c", "3"), limit=1)
    it.observe("a", polls=None, hot=cause, cpu=0.1)
    taken(it.route("v"))
    taken(it.route("v"))
    assert it.route("v") is Cause.CONCURRENCY  # two are full, one is hot
    it.observe("b", polls=None, hot=cause, cpu=0.1)
    assert it.route("v") is cause
    assert it.refusals("v") == 2


def test_after_a_refusal_the_next_one_is_tried() -> None:
    it = router(("a", "1"), ("b", "2"), ("c", "3"), limit=5)
    seen: list[str] = []
    answer = it.route("v")
    while isinstance(answer, Route):
        seen.append(answer.environment)
        answer = answer.refused(Cause.CPU)
    assert sorted(seen) == ["a", "b", "c"]
    assert answer is Cause.CPU
    assert it.refusals("v") == 1
    assert [it.in_flight(name) for name in "abc"] == [0, 0, 0]


def test_what_refused_once_is_not_asked_until_it_says_better() -> None:
    it = router(("a", "1"), ("b", "2"), limit=5)
    first = taken(it.route("v"))
    second = taken(first.refused(Cause.DISK))
    assert [taken(it.route("v")).environment for _ in range(4)] == [second.environment] * 4
    assert it.route("v") is Cause.DISK
    it.observe(first.environment, polls=5, hot=None, cpu=0.0)
    assert taken(it.route("v")).environment == first.environment


def test_an_environment_without_a_free_poll_is_full_until_something_ends_there() -> None:
    it = router(("a", "1"), limit=5)
    running = [taken(it.route("v")) for _ in range(3)]
    assert taken(it.route("v")).refused(Cause.CONCURRENCY) is Cause.CONCURRENCY
    assert it.route("v") is Cause.CONCURRENCY  # nobody had to be asked
    running[0].done()
    assert taken(it.route("v")).environment == "a"
    it.observe("a", polls=2, hot=None, cpu=0.0)
    assert taken(it.route("v")).environment == "a"


def test_an_idle_environment_that_had_no_poll_is_asked_again() -> None:
    it = router(("a", "1"), limit=1)
    assert taken(it.route("v")).refused(Cause.CONCURRENCY) is Cause.CONCURRENCY
    assert taken(it.route("v")).environment == "a"


def test_few_polls_make_an_environment_the_second_choice() -> None:
    it = router(("few", "1"), ("many", "2"), limit=8)
    it.observe("few", polls=1, hot=None, cpu=0.0)
    it.observe("many", polls=8, hot=None, cpu=0.5)
    assert taken(it.route("v")).environment == "few"
    assert [taken(it.route("v")).environment for _ in range(7)] == ["many"] * 7


def test_a_removed_environment_gets_nothing_but_is_counted_to_its_end() -> None:
    it = router(("a", "1"), limit=2)
    route = taken(it.route("v"))
    it.remove("a")
    it.remove("a")
    it.remove("never there")
    it.observe("a", polls=2, hot=Cause.CPU, cpu=1.0)
    assert it.route("v") is Cause.CONCURRENCY
    assert it.in_flight("a") == 1
    route.done()
    assert it.in_flight("a") == 0
    it.add("v", "a", zone="1", limit=2)
    assert taken(it.route("v")).environment == "a"


def test_a_hot_environment_that_was_removed_is_no_cause_any_more() -> None:
    it = router(("a", "1"), ("b", "2"), limit=1)
    it.observe("a", polls=None, hot=Cause.CPU, cpu=1.0)
    running = taken(it.route("v"))
    it.remove("a")
    assert it.route("v") is Cause.CONCURRENCY
    assert isinstance(running.refused(Cause.MEMORY), Cause)


def test_the_refusal_of_a_removed_environment_leads_elsewhere() -> None:
    it = router(("a", "1"), limit=1)
    route = taken(it.route("v"))
    it.remove("a")
    it.add("v", "b", zone="1", limit=1)
    assert taken(route.refused(Cause.CPU)).environment == "b"
    assert it.in_flight("a") == 0


def test_an_invocation_leaves_an_environment_once() -> None:
    it = router(("a", "1"), ("b", "1"), limit=2)
    route = taken(it.route("v"))
    route.done()
    for again in (route.done, lambda: route.refused(Cause.CPU)):
        with pytest.raises(IllegalStep, match=f"has left environment {route.environment} before"):
            again()
    assert it.in_flight("a") == it.in_flight("b") == 0


def test_says_what_is_wrong_with_an_environment() -> None:
    it = router(("a", "1"))
    with pytest.raises(ValueError, match="environment a is in the router already"):
        it.add("v", "a", zone="1", limit=2)
    with pytest.raises(ValueError, match="environment b cannot hold 0 invocations"):
        it.add("v", "b", zone="1", limit=0)
