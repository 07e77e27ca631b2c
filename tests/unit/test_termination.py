"""SIGTERM, its second one, and handlers of the function's own."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator

import pytest

from polylambda.runtime.termination import Termination

TERM = signal.SIGTERM


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    """Leaves the signal as it was; a test in which it is not handled must not end the whole run."""
    before = signal.getsignal(TERM)
    signal.signal(TERM, signal.SIG_DFL)
    yield
    signal.signal(TERM, before)


@pytest.fixture
def calls() -> list[str]:
    return []


@pytest.fixture
def termination(calls: list[str]) -> Termination:
    return Termination(lambda: calls.append("stop"), lambda reason: calls.append(f"abort {reason}"))


def test_the_first_signal_stops(termination, calls):
    with termination:
        signal.raise_signal(TERM)
    assert calls == ["stop"]


def test_every_further_signal_aborts(termination, calls):
    with termination:
        for _ in range(3):
            signal.raise_signal(TERM)
    assert calls == ["stop", "abort 143", "abort 143"]


def test_the_default_is_back_afterwards(termination):
    with termination:
        assert signal.getsignal(TERM) != signal.SIG_DFL
    assert signal.getsignal(TERM) == signal.SIG_DFL


def test_a_handler_of_the_functions_own_is_called_first(termination, calls):
    def theirs(number, frame):
        calls.append("theirs")

    signal.signal(TERM, theirs)
    with termination:
        assert termination.chained
        signal.raise_signal(TERM)
    assert calls == ["theirs", "stop"]
    assert signal.getsignal(TERM) is theirs


def test_a_handler_that_exits_has_its_way(termination, calls):
    def theirs(number, frame):
        raise SystemExit(7)

    signal.signal(TERM, theirs)
    with termination:
        signal.raise_signal(TERM)
    assert calls == ["abort 7"]


def test_whatever_else_a_handler_raises_is_raised(termination, calls):
    def theirs(number, frame):
        raise KeyError("table")

    signal.signal(TERM, theirs)
    with termination, pytest.raises(KeyError):
        signal.raise_signal(TERM)
    assert calls == []


def test_a_handler_that_the_lifespan_put_in_place_of_ours_is_called_too(termination, calls):
    with termination:
        signal.signal(TERM, lambda number, frame: calls.append("theirs"))
        termination.install()
        assert termination.chained
        signal.raise_signal(TERM)
    assert calls == ["theirs", "stop"]


def test_a_handler_that_passes_the_signal_on_to_ours_stops_once(termination, calls):
    with termination:
        ours = signal.getsignal(TERM)
        assert callable(ours)

        def theirs(number, frame):
            calls.append("theirs")
            ours(number, frame)

        signal.signal(TERM, theirs)
        termination.install()
        signal.raise_signal(TERM)
    assert calls == ["theirs", "stop"]


def test_a_handler_that_was_put_in_place_of_ours_later_stays(termination, calls):
    def theirs(number, frame):
        calls.append("theirs")

    with termination:
        signal.signal(TERM, theirs)
        signal.raise_signal(TERM)
    assert (calls, signal.getsignal(TERM)) == (["theirs"], theirs)


def test_without_a_handler_of_theirs_nothing_is_chained(termination):
    with termination:
        termination.install()
        assert not termination.chained


def test_who_ignores_the_signal_goes_on_ignoring_it(termination, calls):
    signal.signal(TERM, signal.SIG_IGN)
    with termination:
        signal.raise_signal(TERM)
        assert signal.getsignal(TERM) == signal.SIG_IGN
    assert calls == []


def test_off_the_main_thread_nothing_happens(termination):
    seen = []

    def run() -> None:
        with termination:
            seen.append(signal.getsignal(TERM))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert seen == [signal.SIG_DFL]
