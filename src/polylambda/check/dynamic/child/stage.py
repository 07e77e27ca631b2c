"""Who is on: the invocations under way, and the waves they come in."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from polylambda.check.dynamic.marks import Marks
from polylambda.check.dynamic.schedule import Schedule
from polylambda.context import CURRENT

if TYPE_CHECKING:
    import contextvars

    from polylambda.check.dynamic.assignment import Assignment


_KNOWN = 256  # ids whose numbers are kept


class Stage:
    """The invocations of a run.

    Attributes:
        marks: by which their data are recognised.
        active: numbers of those that have arrived and not ended.
        schedule: of the wave that is on.
        is_on: every invocation of the wave has arrived.
        moved_at: when one of them last made a step, on the monotonic clock.
        changed_at: when one of them last arrived or ended.
    """

    def __init__(self, assignment: Assignment) -> None:
        """Begin before the first wave."""
        self.marks = Marks(assignment.seed)
        self.active: set[int] = set()
        self.schedule = Schedule(assignment.seed, 0)
        self.is_on = True
        self.moved_at = self.changed_at = time.monotonic()
        self._numbers: dict[str, int | None] = {}
        self._arrived: set[int] = set()
        self._size = assignment.waves
        self._last = assignment.last
        self._seed = assignment.seed

    def arrive(self, number: int) -> bool:
        """Take an invocation; say whether its wave is complete, which then is on."""
        self.active.add(number)
        self.moved_at = self.changed_at = time.monotonic()
        if self._size == 1:
            return True
        self._arrived.add(number)
        wave = number // self._size
        first = wave * self._size
        self.is_on = all(each in self._arrived for each in range(first, min(first + self._size, self._last)))
        if not self.is_on:
            return False
        self._arrived.clear()
        self.schedule = Schedule(self._seed, wave)
        return True

    def leave(self, number: int) -> None:
        """Take it that an invocation has ended."""
        self.moved_at = self.changed_at = time.monotonic()
        self.active.discard(number)

    def current(self) -> int | None:
        """Return the invocation that this code runs for."""
        context = CURRENT.get()
        return None if context is None else self.number(context.aws_request_id)

    def of(self, context: contextvars.Context | None) -> int | None:
        """Return the invocation that a context variable of `context` names."""
        found = None if context is None else context.get(CURRENT)
        return None if found is None else self.number(found.aws_request_id)

    def number(self, request_id: str) -> int | None:
        """Return the invocation with that id."""
        try:
            return self._numbers[request_id]
        except KeyError:
            if len(self._numbers) > _KNOWN:
                self._numbers.clear()
            number = self._numbers[request_id] = self.marks.number(request_id)
            return number
