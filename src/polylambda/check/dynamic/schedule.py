"""Who goes next: the order in which invocations take turns, drawn from a seed. Pure.

The invocations of a run come in waves, and each wave has a style of its own, because each finds other mistakes: taking turns
shows what is kept across a wait, chance shows the rest, and priorities show what takes one invocation being far ahead
(Burckhardt et al., "A randomized scheduler with probabilistic guarantees of finding bugs", ASPLOS 2010).
"""

from __future__ import annotations

import random
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class Style(Enum):
    """How the invocations of a wave take turns."""

    TURNS = "turns"
    CHANCE = "chance"
    PRIORITIES = "priorities"


_STYLES = (Style.TURNS, Style.CHANCE, Style.PRIORITIES)
# Of the boundaries between two bytecodes, how many are a switch: many where the order is any, few where it is to last.
_DENSITIES = {Style.TURNS: 0.4, Style.CHANCE: 0.15, Style.PRIORITIES: 0.02}


class Schedule:
    """The order of one wave."""

    def __init__(self, seed: int, wave: int) -> None:
        """Draw the order of the wave with that number."""
        self._random = random.Random(f"{seed}/{wave}")  # noqa: S311 # to be had again
        self.style = _STYLES[wave % len(_STYLES)]
        self._density = _DENSITIES[self.style]
        self._ranks: dict[int, float] = {}
        self._last: int | None = None

    def next(self, ready: Sequence[int]) -> int:
        """Return who of `ready`, which is not empty and in ascending order, goes next."""
        if self.style is Style.TURNS:
            chosen = self._after(ready)
        elif self.style is Style.CHANCE:
            chosen = self._random.choice(ready)
        else:
            chosen = max(ready, key=self._rank)
            if self._random.random() < 0.2:
                self._ranks[chosen] = -self._random.random()  # it falls behind all others
        self._last = chosen
        return chosen

    def is_switch(self) -> bool:
        """Say whether this boundary between two bytecodes is one where another may go next."""
        return self._random.random() < self._density

    def _after(self, ready: Sequence[int]) -> int:
        """The one whose turn it is: the next in an order that does not change."""
        order = sorted(ready, key=self._rank)
        if self._last is None:
            return order[0]
        mine = self._rank(self._last)
        return next((each for each in order if self._rank(each) > mine), order[0])

    def _rank(self, number: int) -> float:
        return self._ranks.setdefault(number, self._random.random())
