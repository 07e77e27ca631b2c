"""When an environment is too hot, and how busy it was."""

from __future__ import annotations

import pytest

from polylambda.plane.agent.gauge import Gauge
from polylambda.plane.router import Cause


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Measured:
    """A gauge of an environment with half a core, 1000 MiB and a /tmp, measured once a second."""

    def __init__(self, *, tmp: float = 512) -> None:
        self.clock = Clock()
        self.gauge = Gauge(cores=0.5, memory=1000, tmp=tmp, clock=self.clock)
        self._seconds = 0.0

    def second(self, cpu: float = 0.0, memory: float = 100.0) -> Cause | None:
        self.clock.now += 1
        self._seconds += cpu * 0.5
        self.gauge.measure(self._seconds, memory)
        return self.gauge.hot


def test_cpu_is_a_share_of_what_it_is_given() -> None:
    it = Measured()
    it.second(cpu=0.4)
    assert it.gauge.cpu == pytest.approx(0.4)
    it.second(cpu=3.0)  # nothing holds it back, but it has no more to give than its vCPUs
    assert it.gauge.cpu == 1.0
    it.clock.now += 1
    it.gauge.measure(0.0, 0.0)  # a process took its seconds along
    assert it.gauge.cpu == 0.0


def test_hot_cpu_takes_a_while_and_cools_at_once() -> None:
    it = Measured()
    assert [it.second(cpu=c) for c in (1, 1, 0.5, 1, 0.96, 1)] == [None, None, None, None, None, Cause.CPU]
    assert [it.second(cpu=c) for c in (0.92, 0.91, 0.89, 0.92)] == [Cause.CPU, Cause.CPU, None, None]


def test_hot_memory_is_hot_at_once() -> None:
    it = Measured()
    assert [it.second(memory=m) for m in (899, 900, 860, 849, 899)] == [None, Cause.MEMORY, Cause.MEMORY, None, None]
    it.second(memory=1000)
    assert not it.gauge.over_memory
    it.second(memory=1001)
    assert it.gauge.over_memory


def test_a_full_tmp_is_hot() -> None:
    it = Measured()
    it.gauge.measure_tmp(470.0)
    assert it.second() is Cause.DISK
    it.gauge.measure_tmp(10.0)
    assert it.second() is None


def test_how_much_a_tmp_holds_is_the_function_s_choice() -> None:
    it = Measured(tmp=2000)
    found: list[Cause | None] = []
    for size in (1799, 1801, 1705, 1690):
        it.gauge.measure_tmp(size)
        found.append(it.second())
    assert found == [None, Cause.DISK, Cause.DISK, None]


def test_the_mean_of_what_was_held() -> None:
    it = Measured()
    it.gauge.enter()
    it.gauge.enter()
    it.clock.now += 1
    it.gauge.leave()
    it.clock.now += 3
    assert it.gauge.mean_in_use() == pytest.approx(5 / 4)
    assert it.gauge.mean_in_use() == 1.0  # no time has passed
    it.gauge.leave()
    it.clock.now += 2
    assert it.gauge.mean_in_use() == 0.0
