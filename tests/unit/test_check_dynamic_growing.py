"""Growth: what gets larger with every invocation, and not what fills up."""

from __future__ import annotations

from typing import Any

from polylambda.check.dynamic.growing import growing, growth, probes
from polylambda.check.dynamic.marks import Marks
from polylambda.check.dynamic.observation import Observation
from polylambda.check.dynamic.runs import Runs
from polylambda.check.finding import Mode


def measured(*points: dict[str, Any], names: dict[str, str] | None = None) -> Observation:
    empty: dict[str, Any] = {"sizes": {}, "kinds": {}, "texts": {}, "tasks": {}, "threads": 1, "descriptors": 9}
    made = [{"number": 4 * (index + 1), **empty, **point} for index, point in enumerate(points)]
    handler = {"kind": "handler", "site": ["app.py", 5, "handler"], "asynchronous": True}
    return Observation(notes=[handler, {"kind": "measured", "points": made, "names": names or {}}])


def rules(alone: Observation, longer: Observation | None = None) -> list[tuple[str, str]]:
    runs = Runs(Marks(1), Mode.TASK, 16, together=alone, alone=alone, longer=longer)
    return [(finding.rule, finding.message) for finding in growing(runs)]


def test_probes_need_enough_invocations():
    assert probes(7) == ()
    assert probes(16) == (5, 10, 15)


def test_a_list_that_grows():
    run = measured(*({"sizes": {"7": 4 * n}} for n in range(1, 5)), names={"7": "app.names"})
    assert rules(run) == [("RUN108", "app.names grows with every invocation")]


def test_what_has_no_name_is_not_told():
    assert not growth(measured(*({"sizes": {"7": 4 * n}} for n in range(1, 5))))


def test_what_fills_up_is_no_growth():
    run = measured(*({"sizes": {"7": min(4 * n, 12)}} for n in range(1, 5)), names={"7": "app.cache"})
    assert not growth(run)


def test_what_stops_in_a_longer_run_is_no_growth():
    names = {"7": "app.cache"}
    short = measured(*({"sizes": {"7": 4 * n}} for n in range(1, 5)), names=names)
    long = measured(*({"sizes": {"7": 128}} for _ in range(4)), names=names)
    assert rules(short) != []
    assert rules(short, long) == []


def test_what_grows_now_and_then_is_no_growth_with_every_invocation():
    assert not growth(measured({"descriptors": 9}, {"descriptors": 10}, {"descriptors": 10}, {"descriptors": 11}))


def test_threads_descriptors_and_tasks():
    run = measured(
        *({"threads": 4 * n, "descriptors": 9 + 4 * n, "tasks": {"app.py:3:beat": 4 * n}} for n in range(1, 5))
    )
    assert [rule for rule, _ in rules(run)] == ["RUN110", "RUN111", "RUN112"]


def test_the_nearest_name_is_told():
    names = {"7": "app.store.items['a']", "8": "app.names"}
    run = measured(*({"sizes": {"7": 4 * n, "8": 4 * n}} for n in range(1, 5)), names=names)
    assert rules(run) == [("RUN108", "app.names grows with every invocation")]


def test_files_that_are_left():
    run = measured()
    run.left = {
        f"/tmp/{number}": {"path": f"/tmp/{number}", "number": number, "site": ["app.py", 7, "handler"]}
        for number in range(16)
    }
    assert [rule for rule, _ in rules(run)] == ["RUN113"]
    run.left = dict(list(run.left.items())[:1])
    assert rules(run) == []
