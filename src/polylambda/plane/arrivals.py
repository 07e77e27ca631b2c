"""When the invocations of a load are due: an open-loop schedule, which no answer that comes late can hold back."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True, kw_only=True)
class Ramp:
    """A rate that goes from one value to another in a straight line, and then stays.

    Attributes:
        first: invocations a second at the start.
        rate: invocations a second after the ramp.
        ramp: seconds from the one to the other.
        hold: seconds that the rate is kept after that.
    """

    first: float
    rate: float
    ramp: float
    hold: float

    @property
    def duration(self) -> float:
        """Seconds in all."""
        return self.ramp + self.hold

    def rate_at(self, at: float) -> float:
        """Return the invocations a second that are due at `at` seconds."""
        return self.rate if at >= self.ramp else self.first + (self.rate - self.first) * at / self.ramp

    def due(self, at: float) -> float:
        """Return how many invocations are due in the first `at` seconds."""
        rising = min(at, self.ramp)
        return (self.first + self.rate_at(rising)) / 2 * rising + self.rate * max(0.0, at - self.ramp)

    def times(self, rng: random.Random | None = None) -> Iterator[float]:
        """Yield the second of each invocation: evenly spaced, or with `rng` as independent callers come (Poisson)."""
        total = self.due(self.duration)
        gaps = itertools.repeat(1.0) if rng is None else iter(lambda: rng.expovariate(1.0), None)
        number = 0.5 if rng is None else next(gaps)
        while number < total:
            yield self._time_of(number)
            number += next(gaps)

    def _time_of(self, number: float) -> float:
        """When `number` invocations are due: the inverse of `due`."""
        in_ramp = self.due(self.ramp)
        if number >= in_ramp:
            return self.ramp + (number - in_ramp) / self.rate
        slope = (self.rate - self.first) / self.ramp
        if slope == 0:
            return number / self.first
        return (math.sqrt(self.first**2 + 2 * slope * number) - self.first) / slope
