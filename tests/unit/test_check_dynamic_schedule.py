"""The schedule: drawn from its seed, and fair in its way."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from polylambda.check.dynamic.schedule import Schedule, Style


def order(seed: int, wave: int, length: int = 40) -> list[int]:
    schedule = Schedule(seed, wave)
    return [schedule.next([0, 1, 2, 3]) for _ in range(length)]


@given(st.integers(0, 1000), st.integers(0, 8))
def test_is_the_same_for_the_same_seed(seed: int, wave: int):
    assert order(seed, wave) == order(seed, wave)


def test_another_seed_is_another_order():
    assert len({tuple(order(seed, 1)) for seed in range(10)}) == 10


def test_waves_have_different_styles():
    assert {Schedule(1, wave).style for wave in range(3)} == set(Style)


def test_turns_leave_nobody_out():
    taken = order(3, 0)
    assert all(sorted(taken[at : at + 4]) == [0, 1, 2, 3] for at in range(0, 40, 4))


def test_turns_go_on_when_somebody_is_missing():
    schedule = Schedule(3, 0)
    first = schedule.next([0, 1, 2])
    others = [each for each in (0, 1, 2) if each != first]
    assert {schedule.next(others), schedule.next(others)} == set(others)


def test_priorities_let_one_be_far_ahead_but_not_for_ever():
    taken = order(5, 2, 200)
    runs = max(sum(1 for _ in group) for group in _runs(taken))
    assert runs > 3
    assert set(taken) == {0, 1, 2, 3}


def test_there_are_more_switches_where_turns_are_taken():
    turns, priorities = Schedule(1, 0), Schedule(1, 2)
    count = [sum(schedule.is_switch() for _ in range(1000)) for schedule in (turns, priorities)]
    assert count[0] > 10 * count[1] > 0


def _runs(taken: list[int]) -> list[list[int]]:
    found: list[list[int]] = []
    for each in taken:
        if found and found[-1][-1] == each:
            found[-1].append(each)
        else:
            found.append([each])
    return found
