"""How much traffic there is when: rates in invocations a second, as functions of virtual seconds."""

from __future__ import annotations

import math
from bisect import bisect_right
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from random import Random

DAY = 86400.0
_STEP = 0.05  # seconds in which a rate is taken for constant


def constant(rate: float) -> Callable[[float], float]:
    """Return the same rate at all times."""
    return lambda _at: rate


def line(points: Sequence[tuple[float, float]]) -> Callable[[float], float]:
    """Return straight lines between points of time and rate, and the outer rates beyond them."""
    times = [time for time, _ in points]

    def rate(at: float) -> float:
        index = bisect_right(times, at)
        if index == 0:
            return points[0][1]
        if index == len(points):
            return points[-1][1]
        (before, low), (after, high) = points[index - 1], points[index]
        return low + (high - low) * (at - before) / (after - before)

    return rate


def ramp(first: float, last: float, *, seconds: float, hold: float) -> Callable[[float], float]:
    """Return a straight way from `first` to `last`, that for `hold` seconds, and nothing after it."""
    end = seconds + hold
    return line([(0.0, first), (seconds, last), (end, last), (end + 1e-6, 0.0)])


def spike(low: float, high: float, *, start: float, seconds: float) -> Callable[[float], float]:
    """Return `low`, but `high` for some seconds."""
    return lambda at: high if start <= at < start + seconds else low


def diurnal(mean: float, *, swing: float, peak: float) -> Callable[[float], float]:
    """Return a wave of a day around `mean`, which at `peak` (seconds of the day) is `1 + swing` times it."""
    return lambda at: mean * (1 + swing * math.cos(2 * math.pi * (at - peak) / DAY))


def bursts(rng: Random, low: float, *, times: float, every: float, seconds: float) -> Callable[[float], float]:
    """Return `low` with bursts of `times` as much, which come at random and last `seconds`; `every` is the mean pause."""
    starts: list[float] = []
    at = rng.expovariate(1 / every)
    while at < DAY * 2:
        starts.append(at)
        at += seconds + rng.expovariate(1 / every)

    def rate(at: float) -> float:
        index = bisect_right(starts, at) - 1
        return low * times if index >= 0 and at < starts[index] + seconds else low

    return rate


def arrivals(rate: Callable[[float], float], until: float, rng: Random | None) -> Iterator[float]:
    """Yield when invocations come: evenly at the rate of each moment, or with `rng` as independent callers come."""
    at, left = 0.0, 0.5 if rng is None else rng.expovariate(1.0)
    step = 0
    while at < until:
        now, end = rate(at), min((step + 1) * _STEP, until)
        while now > 0 and left <= now * (end - at):
            at += left / now
            left = 1.0 if rng is None else rng.expovariate(1.0)
            yield at
        left -= now * (end - at)
        at = end
        step += 1
