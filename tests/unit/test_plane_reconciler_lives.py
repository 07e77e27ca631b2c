"""How far versions and capacity providers are, step by step."""

from __future__ import annotations

from dataclasses import replace

import pytest

from polylambda.plane.lives import GIVING_UP, PATIENCE, Observed, ProviderLife, VersionLife, reason_code
from polylambda.plane.records import LATEST, VersionRecord
from polylambda.plane.states import IllegalStep, ProviderState, VersionState
from tests.unit.plane_records import provider, version

NOTHING = Observed()
READY = Observed(ready=3, present=3)
BLOCKED = Observed(ready=1, present=1, blocked=("InsufficientCapacity", "There is none."))


def active(record: VersionRecord | None = None) -> VersionLife:
    life = VersionLife(record or version())
    life.want(life.record)
    life.observe(0, READY)
    assert life.state is VersionState.ACTIVE
    return life


def test_a_new_version_is_being_created() -> None:
    status = VersionLife(version()).status
    assert (status.state, status.reason_code) == (VersionState.PENDING, "Creating")
    assert status.reason


@pytest.mark.parametrize(("minimum", "needed"), [(0, 1), (1, 1), (2, 2), (3, 3), (20, 3)])
def test_it_is_active_with_its_minimum_but_with_three_in_any_case(minimum: int, needed: int) -> None:
    life = VersionLife(version().with_scaling(minimum, 50))
    for ready in range(needed):
        life.observe(0, Observed(ready=ready, present=ready))
        assert life.state is VersionState.PENDING
        assert life.serving is None
    life.observe(0, Observed(ready=needed, present=needed))
    assert life.state is VersionState.ACTIVE
    assert life.serving is life.revision
    assert life.status.reason_code == ""


def test_latest_is_never_invocable() -> None:
    life = VersionLife(version(qualifier=LATEST))
    life.want(life.record)
    assert (life.state, life.serving, life.revisions) == (VersionState.ACTIVE_NON_INVOCABLE, None, [])


def test_some_failed_inits_are_not_yet_a_failure_and_one_success_is_none() -> None:
    life = VersionLife(version())
    for _ in range(2):
        life.init_failed(life.revision, "Runtime.ExitError", "it died")
    life.observe(0, NOTHING)
    assert life.state is VersionState.PENDING
    life.init_failed(life.revision, "Runtime.ExitError", "it died")
    life.observe(0, Observed(ready=1, present=1))
    assert life.state is VersionState.PENDING
    life.observe(0, NOTHING)
    assert life.state is VersionState.FAILED
    assert life.status.reason == "it died"
    assert life.revisions == []


def test_one_that_is_ready_does_not_keep_a_version_pending_for_ever() -> None:
    life = VersionLife(version())
    for number in range(GIVING_UP * 3):
        life.observe(0, Observed(ready=1, present=1))
        assert life.state is VersionState.PENDING
        life.init_failed(life.revision, "Runtime.ExitError", f"it died {number}")
    life.observe(0, Observed(ready=1, present=1))
    assert (life.state, life.status.reason) == (VersionState.FAILED, "it died 8")
    assert life.status.reason_code == "FunctionError.RuntimeInitError"


def test_new_code_for_many_environments_survives_a_few_failures() -> None:
    life = active()
    life.want(version(generation="b"))
    growing = Observed(ready=7, present=17, serving=10)
    for _ in range(GIVING_UP * 10 - 1):
        life.init_failed(life.revision, "Runtime.ExitError", "it died")
    life.observe(0, growing)
    assert life.state is VersionState.PENDING
    life.init_failed(life.revision, "Runtime.ExitError", "it died")
    life.observe(0, growing)
    assert life.state is VersionState.FAILED


def test_a_pending_version_says_what_failed_last() -> None:
    life = VersionLife(version())
    life.init_failed(life.revision, "Runtime.ExitError", "it died")
    life.observe(0, NOTHING)
    assert (life.status.state, life.status.reason_code) == (VersionState.PENDING, "Creating")
    assert life.status.reason.endswith("it died")
    life.init_failed(life.revision, "Runtime.ImportModuleError", "")
    assert life.status.reason.endswith("Runtime.ImportModuleError")
    life.observe(0, READY)
    assert (life.status.state, life.status.reason) == (VersionState.ACTIVE, "")
    life.init_failed(life.revision, "Runtime.ExitError", "it died")
    assert life.status.reason == ""


def test_failures_of_old_code_do_not_count_for_new_code() -> None:
    life = active()
    old = life.revision
    life.want(version(generation="b"))
    for _ in range(5):
        life.init_failed(old, "Runtime.ExitError", "it died")
    life.observe(0, NOTHING)
    assert life.state is VersionState.PENDING


def test_new_code_that_fails_leaves_the_old_serving() -> None:
    life = active()
    old = life.serving
    life.want(version(generation="b"))
    assert [revision.record.generation for revision in life.revisions] == ["b", "a"]
    for _ in range(3):
        life.init_failed(life.revision, "Runtime.ImportModuleError", "")
    life.observe(0, Observed(ready=0, present=3))
    assert life.state is VersionState.FAILED
    assert "Runtime.ImportModuleError" in life.status.reason
    assert life.serving is old
    assert life.revisions == [old]


def test_new_code_grows_to_the_size_of_the_old_before_it_takes_over() -> None:
    life = active()
    old = life.revision
    assert life.scaling(old, READY) == (3, None)
    life.want(version(generation="b"))
    growing = Observed(ready=7, present=17, serving=10)
    assert life.scaling(life.revision, growing) == (10, None)
    assert life.scaling(old, growing) == (3, None)
    life.observe(0, growing)
    assert (life.state, life.serving) == (VersionState.PENDING, old)
    life.observe(0, replace(growing, ready=8))
    assert (life.state, life.serving) == (VersionState.ACTIVE, life.revision)


def test_new_code_grows_no_further_than_the_maximum() -> None:
    life = active(version().with_scaling(1, 5))
    life.want(version(generation="b").with_scaling(1, 5))
    assert life.scaling(life.revision, Observed(serving=9)) == (5, 5)


def test_old_code_makes_room_for_the_new_down_to_one_environment() -> None:
    life = active()
    old = life.revision
    life.want(version(generation="b"))
    blocked = replace(BLOCKED, ready=2)
    assert life.scaling(old, replace(blocked, serving=9)) == (3, 8)
    assert life.scaling(old, replace(blocked, serving=3)) == (2, 2)
    assert life.scaling(old, replace(blocked, serving=1)) == (1, 1)
    life.observe(0, replace(blocked, serving=9))
    life.observe(10 * PATIENCE, replace(blocked, serving=9))
    assert life.state is VersionState.PENDING
    life.observe(10 * PATIENCE, replace(blocked, serving=1))
    life.observe(11 * PATIENCE, replace(blocked, serving=1))
    assert (life.state, life.serving) == (VersionState.FAILED, old)


def test_new_code_takes_over_with_what_there_is_room_for() -> None:
    life = active()
    life.want(version(generation="b"))
    life.observe(0, replace(BLOCKED, ready=3, serving=9))
    assert (life.state, life.serving) == (VersionState.ACTIVE, life.revision)


def test_a_lack_of_room_is_borne_for_a_while() -> None:
    life = VersionLife(version())
    life.observe(0, BLOCKED)
    life.observe(PATIENCE - 1, BLOCKED)
    life.observe(PATIENCE, replace(BLOCKED, blocked=None))
    life.observe(PATIENCE + 1, BLOCKED)
    assert life.state is VersionState.PENDING
    life.observe(2 * PATIENCE + 1, BLOCKED)
    assert life.state is VersionState.FAILED
    assert (life.status.reason_code, life.status.reason) == ("InsufficientCapacity", "There is none.")


def test_how_long_a_lack_of_room_is_borne_can_be_said() -> None:
    life = VersionLife(version(), patience=10 * PATIENCE)
    life.observe(0, BLOCKED)
    life.observe(10 * PATIENCE - 1, BLOCKED)
    assert life.state is VersionState.PENDING
    life.observe(10 * PATIENCE, BLOCKED)
    assert life.state is VersionState.FAILED


def test_an_active_version_stays_active_when_it_is_short_of_room() -> None:
    life = active()
    life.observe(0, BLOCKED)
    life.observe(10 * PATIENCE, BLOCKED)
    assert life.state is VersionState.ACTIVE


def test_a_failed_version_is_tried_again_when_something_changes() -> None:
    life = VersionLife(version())
    life.observe(0, BLOCKED)
    life.observe(PATIENCE, BLOCKED)
    life.want(version())
    assert life.state is VersionState.FAILED
    life.want(version().with_scaling(1, 1))
    assert life.state is VersionState.PENDING


def test_only_a_failed_version_is_tried_again() -> None:
    life = active()
    life.try_again()
    assert life.state is VersionState.ACTIVE
    life = VersionLife(version())
    for _ in range(3):
        life.init_failed(life.revision, "Runtime.ExitError", "it died")
    life.observe(0, NOTHING)
    assert life.state is VersionState.FAILED
    life.try_again()
    life.observe(0, NOTHING)
    assert life.state is VersionState.PENDING


def test_zero_and_back() -> None:
    life = active()
    life.want(version().with_scaling(0, 0))
    assert (life.state, life.serving) == (VersionState.DEACTIVATING, None)
    life.observe(0, Observed(present=2))
    assert life.state is VersionState.DEACTIVATING
    life.observe(0, NOTHING)
    assert (life.state, life.applied) == (VersionState.DEACTIVATED, (0, 0))
    life.want(version().with_scaling(0, 0))
    assert life.state is VersionState.DEACTIVATED
    life.want(version().with_scaling(3, None))
    assert life.state is VersionState.PENDING
    life.observe(0, READY)
    assert (life.state, life.applied) == (VersionState.ACTIVE, (3, None))


def test_a_scaling_config_is_applied_when_the_fleet_has_got_there() -> None:
    life = active()
    assert life.applied == (3, None)
    life.want(version().with_scaling(1, 2))
    life.observe(0, READY)
    assert life.applied == (3, None)
    life.observe(0, Observed(ready=2, present=2))
    assert life.applied == (1, 2)
    life.want(version().with_scaling(5, 9))
    life.observe(0, Observed(ready=4, present=5))
    assert life.applied == (1, 2)


@pytest.mark.parametrize("state", list(VersionState))
def test_whatever_it_is_it_can_be_deleted_and_then_stays_so(state: VersionState) -> None:
    life = active()
    life.state = state
    life.want(replace(version(), deleting=True))
    assert (life.state, life.serving, life.revisions) == (VersionState.DELETING, None, [])
    life.observe(0, READY)
    assert life.state is VersionState.DELETING
    with pytest.raises(IllegalStep, match="from Deleting to Pending"):
        life.want(version(generation="b"))


@pytest.mark.parametrize(
    ("error_type", "code"),
    [
        ("Runtime.InvalidEntrypoint", "FunctionError.InvalidEntryPoint"),
        ("Runtime.InvalidWorkingDir", "FunctionError.InvalidWorkingDirectory"),
        ("Runtime.OutOfMemory", "FunctionError.InitResourceExhausted"),
        ("Sandbox.Timedout", "FunctionError.InitTimeout"),
        ("Extension.Crash", "FunctionError.ExtensionInitError"),
        ("Runtime.ImportModuleError", "FunctionError.RuntimeInitError"),
        ("", "FunctionError.RuntimeInitError"),
    ],
)
def test_reason_codes_are_those_of_aws(error_type: str, code: str) -> None:
    assert reason_code(error_type) == code


def test_a_capacity_provider_is_active_before_it_has_an_instance() -> None:
    life = ProviderLife(provider())
    assert life.state is ProviderState.PENDING
    life.want(provider(), types=5)
    assert life.state is ProviderState.ACTIVE
    life.want(provider(deleting=True), types=5)
    life.want(provider(deleting=True), types=5)
    assert life.state is ProviderState.DELETING


def test_a_capacity_provider_without_an_instance_type_is_failed() -> None:
    life = ProviderLife(provider())
    life.want(provider(), types=0)
    assert life.state is ProviderState.FAILED
    life.want(provider(deleting=True), types=0)
    assert life.state is ProviderState.DELETING
