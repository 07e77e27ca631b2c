"""Where the threads of a wave meet before the handler is called, and are given what to run.

Which thread has received which invocation is up to the network. A handler may see the difference, in what an earlier one has
left in its thread; so each thread runs the invocation that the schedule has for it, and then answers the one it received.
"""

from __future__ import annotations

import _thread
from contextvars import copy_context
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from polylambda.check.dynamic.child.baton import Baton
    from polylambda.check.dynamic.child.stage import Stage


class Part:
    """One invocation, to be run by any thread.

    Attributes:
        number: of the invocation.
    """

    def __init__(self, number: int, call: Callable[[], None]) -> None:
        """Take what is to be called, with the context variables of the thread that has received it."""
        self.number = number
        self._call = call
        self._context = copy_context()
        self._failure: BaseException | None = None
        self._over = _thread.allocate_lock()
        self._over.acquire()

    def run(self) -> None:
        """Call it."""
        try:
            self._context.run(self._call)
        except BaseException as error:  # raised where it was received
            self._failure = error
        finally:
            self._over.release()

    def finish(self) -> None:
        """Wait until somebody has run it.

        Raises:
            BaseException: what it raised.
        """
        self._over.acquire()
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure


class Meeting:
    """The threads of one wave after the other."""

    def __init__(self, stage: Stage, baton: Baton) -> None:
        """Meet for the waves of `stage`; those who go on from here want the baton."""
        self._stage = stage
        self._baton = baton
        self._mutex = _thread.allocate_lock()
        self._parts: dict[int, Part] = {}  # by number
        self._gates: dict[int, _thread.LockType] = {}  # by slot
        self._given: dict[int, Part] = {}  # by slot

    def meet(self, slot: int, part: Part) -> Part:
        """Come with the part that a slot has received; return the one it is to run, once all have come."""
        gate = _thread.allocate_lock()
        gate.acquire()
        with self._mutex:
            self._parts[part.number] = part
            self._gates[slot] = gate
            if self._stage.arrive(part.number):
                self._give_out()
        gate.acquire()
        return self._given.pop(slot)

    def _give_out(self) -> None:
        parts, gates = self._parts, self._gates
        self._parts, self._gates = {}, {}
        self._baton.expect(parts)
        for slot, number in zip(sorted(gates), sorted(parts), strict=True):
            self._given[slot] = parts[number]
            gates[slot].release()
