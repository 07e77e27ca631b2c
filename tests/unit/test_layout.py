"""Layouts: every slot in one process, whatever the numbers; and the mode that a handler gets."""

from __future__ import annotations

import pytest

from polylambda.errors import ConfigurationError
from polylambda.runtime.layout import HYBRID, MODES, PROCESS, TASK, THREAD, choose_mode, parse_max_concurrency, plan

SLOTS = range(1, 301)
VCPUS = range(1, 65)


@pytest.mark.parametrize("mode", MODES)
def test_no_slot_is_lost_and_none_is_there_twice(mode: str) -> None:
    for slots in SLOTS:
        for vcpus in VCPUS:
            layout = plan(mode, slots, vcpus=vcpus)
            assert sum(layout.slots) == layout.max_concurrency == slots
            assert min(layout.slots) > 0, "a process without a slot would do nothing"
            assert max(layout.slots) - min(layout.slots) <= 1


@pytest.mark.parametrize("mode", MODES)
def test_slots_are_numbered_through_the_processes(mode: str) -> None:
    for slots, vcpus in ((1, 1), (8, 2), (7, 3), (300, 64), (5, 64)):
        layout = plan(mode, slots, vcpus=vcpus)
        numbers = [slot for process in range(len(layout.slots)) for slot in layout.slots_of(process)]
        assert numbers == list(range(slots))


def test_the_processes_of_each_mode() -> None:
    for slots in SLOTS:
        for vcpus in VCPUS:
            assert plan(TASK, slots, vcpus=vcpus).slots == plan(THREAD, slots, vcpus=vcpus).slots == (slots,)
            assert plan(PROCESS, slots, vcpus=vcpus).slots == (1,) * slots
            assert len(plan(HYBRID, slots, vcpus=vcpus).slots) == min(slots, vcpus)
    assert plan(HYBRID, 10, vcpus=4).slots == (3, 3, 2, 2)
    assert plan(HYBRID, 4, vcpus=0).slots == (4,)


def test_the_event_has_the_fields_of_awss_runtime_and_ours() -> None:
    assert plan(HYBRID, 5, vcpus=2).event() == {
        "event": "runtime_worker_pool_initializing",
        "workerCount": 2,
        "executionEnvironmentMaxConcurrency": 5,
        "concurrencyMode": "hybrid",
        "slots": [3, 2],
    }


@pytest.mark.parametrize(
    ("text", "slots"), [(None, 1), ("", 1), ("  ", 1), ("1", 1), ("8", 8), (" 8 ", 8), ("064", 64), ("1600", 1600)]
)
def test_numbers_of_slots(text: str | None, slots: int) -> None:
    assert parse_max_concurrency(text) == (slots, None)


@pytest.mark.parametrize("text", ["0", "-3", "+8", "abc", "8.0", "1e3", "8 8", "0x8", "٣", "²", "1_000"])
def test_nonsense_is_one_slot_and_a_warning_that_names_it(text: str) -> None:
    slots, warning = parse_max_concurrency(text)

    assert slots == 1
    assert warning is not None
    assert f"AWS_LAMBDA_MAX_CONCURRENCY is {text!r}" in warning


ASYNC, SAFE = {"is_async": True, "is_safe": False}, {"is_async": False, "is_safe": True}
PLAIN = {"is_async": False, "is_safe": False}


@pytest.mark.parametrize(
    ("handler", "alone", "several"),
    [(ASYNC, TASK, HYBRID), (SAFE, THREAD, HYBRID), (PLAIN, PROCESS, PROCESS)],
    ids=["async def", "declared safe", "def"],
)
def test_the_mode_that_nobody_chose(handler: dict[str, bool], alone: str, several: str) -> None:
    assert choose_mode(None, **handler, vcpus=1, handler="f") == alone
    assert choose_mode(None, **handler, vcpus=2, handler="f") == several
    assert choose_mode(None, **handler, vcpus=64, handler="f") == several


FITS = {
    "async def": (ASYNC, {TASK, PROCESS, HYBRID}),
    "declared safe": (SAFE, {THREAD, PROCESS, HYBRID}),
    "def": (PLAIN, {PROCESS}),
}


@pytest.mark.parametrize("shape", FITS)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("vcpus", [1, 4])
def test_the_mode_that_somebody_chose(shape: str, mode: str, vcpus: int) -> None:
    handler, fitting = FITS[shape]
    if mode in fitting:
        assert choose_mode(mode, **handler, vcpus=vcpus, handler="app.f") == mode
        assert choose_mode(f" {mode.upper()} ", **handler, vcpus=vcpus, handler="app.f") == mode
    else:
        with pytest.raises(ConfigurationError, match=rf"app\.f.*{mode}"):
            choose_mode(mode, **handler, vcpus=vcpus, handler="app.f")


def test_both_ways_out_are_named() -> None:
    with pytest.raises(ConfigurationError, match="@concurrency_safe, or choose process instead of thread"):
        choose_mode(THREAD, **PLAIN, vcpus=1, handler="f")
    with pytest.raises(ConfigurationError, match="choose task or hybrid"):
        choose_mode(THREAD, **ASYNC, vcpus=1, handler="f")


@pytest.mark.parametrize("wanted", ["tasks", "", "1", "task,thread"])
def test_a_mode_that_does_not_exist(wanted: str) -> None:
    with pytest.raises(ConfigurationError, match="it must be one of task, thread, process, hybrid") as caught:
        choose_mode(wanted, **ASYNC, vcpus=1, handler="f")
    assert repr(wanted) in str(caught.value)
