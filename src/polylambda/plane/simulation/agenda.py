"""The virtual clock: what is to happen, in the order of its time."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Agenda:
    """Calls functions at their times; between two of them no time passes outside.

    Attributes:
        now: virtual seconds; they begin with those given.
    """

    def __init__(self, now: float = 0.0) -> None:
        self.now = now
        self._entries: list[tuple[float, int, Callable[..., object], tuple[object, ...]]] = []
        self._made = 0

    def after(self, seconds: float, call: Callable[..., object], *arguments: object) -> None:
        """Call `call(*arguments)` in so many seconds; of several that are due at once, the first noted comes first."""
        self.at(self.now + max(seconds, 0.0), call, *arguments)

    def at(self, time: float, call: Callable[..., object], *arguments: object) -> None:
        """Call `call(*arguments)` at `time`."""
        self._made += 1
        heapq.heappush(self._entries, (time, self._made, call, arguments))

    def run(self, until: float) -> None:
        """Do all that is due by `until`, which is the time then."""
        entries = self._entries
        while entries and entries[0][0] <= until:
            time, _, call, arguments = heapq.heappop(entries)
            self.now = max(self.now, time)
            call(*arguments)
        self.now = until
