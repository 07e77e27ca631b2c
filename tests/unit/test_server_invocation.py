from __future__ import annotations

import dataclasses
import itertools
import uuid

import pytest

from polylambda.server.errors import IllegalStep
from polylambda.server.invocation import OUTCOMES, STEPS, Invocation, Outcome, State, check_step, new_id

ENDS = {State.SUCCEEDED, State.ERRORED, State.TIMED_OUT, State.FAILED, State.TRUNCATED, State.DROPPED}


@pytest.mark.parametrize(("before", "after"), list(itertools.product(State, State)))
def test_every_step_is_in_the_table_or_refused(before: State, after: State) -> None:
    if after in STEPS[before]:
        check_step("id", before, after)
    else:
        with pytest.raises(IllegalStep, match=f"invocation id cannot go from {before.value} to {after.value}"):
            check_step("id", before, after)


def test_nothing_leaves_an_end_and_everything_else_can_reach_one() -> None:
    assert {state for state, following in STEPS.items() if not following} == ENDS
    reachable = {state: set(following) for state, following in STEPS.items()}
    for _ in State:
        for following in reachable.values():
            following |= {further for state in following for further in reachable[state]}
    assert all(following & ENDS for state, following in reachable.items() if state not in ENDS)
    assert reachable[State.QUEUED] >= set(State) - {State.QUEUED}


def test_every_end_has_an_outcome_except_when_nobody_is_left_to_hear_it() -> None:
    assert set(OUTCOMES) == ENDS - {State.DROPPED}
    assert set(OUTCOMES.values()) == set(Outcome) - {Outcome.PENDING}


def test_ids_are_random_uuids() -> None:
    ids = [new_id() for _ in range(1000)]
    assert len(set(ids)) == 1000
    for text in ids:
        parsed = uuid.UUID(text)
        assert str(parsed) == text
        assert (parsed.version, parsed.variant) == (4, uuid.RFC_4122)


def test_an_invocation_makes_up_its_id_and_does_not_change() -> None:
    first, second = Invocation(payload=b"{}"), Invocation(payload=b"{}")
    assert first.request_id != second.request_id
    with pytest.raises(dataclasses.FrozenInstanceError):
        first.timeout = 5.0  # type: ignore[misc]
