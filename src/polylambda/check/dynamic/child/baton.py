"""One baton for all threads of the handler's code: who has it runs, and a seed decides whom it goes to.

A thread asks at each boundary between two bytecodes of the project's code (`step`), and gives the baton away where it would
wait: for a lock, or for the time to pass. What blocks elsewhere, in a socket say, is noticed by those who wait: they take
the baton away, and the thread queues for it when it comes back. Time here is not real: it passes when nobody can run.
"""

from __future__ import annotations

import _thread
import os
import sys
import threading
import time
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import FrameType

    from polylambda.check.dynamic.child.stage import Stage

_LOOK = 0.004  # seconds between looks at whether the one with the baton is stuck
_LOOKS = 4  # such looks without a step, after which it is taken away


class _State(Enum):
    READY = "ready"
    RUNNING = "running"
    BLOCKED = "blocked"
    AWAY = "away"


class Strand:
    """A thread of an invocation."""

    __slots__ = ("due", "gate", "native", "number", "root", "state", "waits_for")

    def __init__(self, number: int, root: FrameType | None = None) -> None:
        """Begin, ready to run, for the invocation with that number; it ends with the call `root`."""
        self.number = number
        self.root = root
        self.native = threading.get_native_id()
        self.gate = _thread.allocate_lock()
        self.gate.acquire()
        self.state = _State.READY
        self.waits_for: object = None
        self.due = float("inf")


class Baton:
    """The baton, the threads that want it, and the clock that they go by."""

    def __init__(self, stage: Stage) -> None:
        """Serve the invocations of `stage`."""
        self._stage = stage
        self._mutex = _thread.allocate_lock()
        self._strands: dict[int, Strand] = {}  # by thread
        self._holder: Strand | None = None
        self._steps = 0
        self._expected: set[int] = set()
        self._clock = 0.0

    @property
    def strand(self) -> Strand | None:
        """The calling thread's."""
        return self._strands.get(_thread.get_ident())

    @property
    def is_stuck(self) -> bool:
        """Everybody waits for somebody else."""
        return all(each.state is _State.BLOCKED and each.due == float("inf") for each in list(self._strands.values()))

    def enter(self, number: int) -> None:
        """Take part with an invocation whose wave is complete: returns when it is its turn."""
        me = Strand(number)
        with self._mutex:
            self._strands[_thread.get_ident()] = me
            self._expected.discard(number)
            if self._holder is None:
                self._pass_on()
        self._wait(me)

    def expect(self, numbers: Iterable[int]) -> None:
        """Give the baton to nobody before all of these have entered."""
        self._expected.update(numbers)

    def join(self, number: int, root: FrameType) -> Strand:
        """Take part with a thread that an invocation has started, until the call `root` returns."""
        me = Strand(number, root)
        with self._mutex:
            self._strands[_thread.get_ident()] = me
            if self._holder is None:
                self._pass_on()
        self._wait(me)
        return me

    def leave(self) -> None:
        """Take no part any more."""
        with self._mutex:
            me = self._strands.pop(_thread.get_ident(), None)
            if me is not None and self._holder is me:
                self._holder = None
                self._pass_on()

    def step(self, me: Strand) -> None:
        """Pass a boundary between two bytecodes; it may be a while until this returns."""
        if self._holder is not me:
            self._come_back(me)
        self._steps += 1
        if self._stage.schedule.is_switch():
            with self._mutex:
                me.state = _State.READY
                self._pass_on()
            self._wait(me)

    def block(self, me: Strand, waits_for: object, timeout: float = -1) -> bool:
        """Wait for `waits_for` to be announced, at most `timeout` seconds (of the clock here); False: they have passed."""
        with self._mutex:
            me.state, me.waits_for = _State.BLOCKED, waits_for
            me.due = self._clock + timeout if timeout >= 0 else float("inf")
            if self._holder is me:
                self._holder = None
                self._pass_on()
        self._wait(me)
        return me.waits_for is None

    def announce(self, what: object) -> None:
        """Have those go on who wait for it."""
        with self._mutex:
            woken = [strand for strand in self._strands.values() if strand.waits_for is what]
            for strand in woken:
                strand.state, strand.waits_for, strand.due = _State.READY, None, float("inf")
            if woken and self._holder is None:
                self._pass_on()

    def sleep(self, seconds: float) -> bool:
        """Stand in for `time.sleep`; False: the caller takes no part, and has to sleep by itself."""
        me = self.strand
        if me is None:
            return False
        self.block(me, object(), max(0.0, seconds))
        me.waits_for = None
        return True

    def _come_back(self, me: Strand) -> None:
        """Queue for the baton, which was taken away meanwhile."""
        with self._mutex:
            me.state = _State.READY
            if self._holder is None:
                self._pass_on()
        self._wait(me)

    def _pass_on(self) -> None:
        """Give the baton to whom the schedule says; when nobody can run, let time pass. The mutex is held."""
        self._holder = None
        if not self._stage.is_on or self._expected:
            return  # the last of the wave gives it to the first
        strands = list(self._strands.values())
        ready = [strand for strand in strands if strand.state is _State.READY]
        if not ready:
            if any(strand.state is _State.AWAY for strand in strands):
                self._strands = {ident: each for ident, each in self._strands.items() if not _is_gone(each.native)}
                return
            sleepers = [strand for strand in strands if strand.due < float("inf")]
            if not sleepers:
                return
            self._clock = max(self._clock, min(strand.due for strand in sleepers))
            ready = [strand for strand in sleepers if strand.due <= self._clock]
            for strand in ready:
                strand.state, strand.due = _State.READY, float("inf")
        numbers = sorted({strand.number for strand in ready})
        number = self._stage.schedule.next(numbers)
        chosen = next(strand for strand in ready if strand.number == number)
        chosen.state = _State.RUNNING
        self._holder = chosen
        self._stage.moved_at = time.monotonic()
        chosen.gate.release()

    def _wait(self, me: Strand) -> None:
        """Wait for the baton."""
        looks, steps = 0, -1
        while not me.gate.acquire(True, _LOOK):
            holder = self._holder
            if holder is None:
                with self._mutex:  # somebody who was away may have ended elsewhere
                    if self._holder is None:
                        self._pass_on()
                continue
            looks = looks + 1 if self._steps == steps and _sleeps(holder.native) else 0
            steps = self._steps
            if looks >= _LOOKS:
                looks = 0
                with self._mutex:
                    if self._holder is holder and self._steps == steps:
                        holder.state = _State.AWAY
                        self._pass_on()


def _sleeps(native: int) -> bool:
    """Say whether a thread waits in the kernel, as far as can be known."""
    try:
        with open(f"/proc/self/task/{native}/stat", "rb") as stat:
            return stat.read().rpartition(b") ")[2][:1] in b"SD"
    except OSError:
        return True


def _is_gone(native: int) -> bool:
    """Say whether a thread is known to have ended."""
    return sys.platform == "linux" and not os.path.exists(f"/proc/self/task/{native}")


class Lock:
    """Stands in for `threading.Lock`: who waits for it gives the baton away."""

    _baton: Baton

    def __init__(self) -> None:
        """Make a lock that is free."""
        self._lock = _thread.allocate_lock()

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Take it, as `threading.Lock.acquire` does."""
        if self._lock.acquire(False):
            return True
        if not blocking:
            return False
        me = self._baton.strand
        if me is None:
            return self._lock.acquire(True, timeout)
        while self._baton.block(me, self, timeout):
            if self._lock.acquire(False):
                return True
        me.waits_for = None
        return self._lock.acquire(False)

    def release(self) -> None:
        """Free it."""
        self._lock.release()
        self._baton.announce(self)

    def locked(self) -> bool:
        """Say whether somebody has it."""
        return self._lock.locked()

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *outcome: object) -> None:
        self.release()

    def _at_fork_reinit(self) -> None:
        self._lock = _thread.allocate_lock()


def install(baton: Baton) -> None:
    """Have `threading` and `time.sleep` of this process go by the baton; locks that exist already do not."""
    Lock._baton = baton  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] # there is one
    real_sleep = time.sleep

    def sleep(seconds: float) -> None:
        if not baton.sleep(seconds):
            real_sleep(seconds)

    time.sleep = sleep
    module: Any = threading
    module.Lock = module._allocate_lock = Lock  # noqa: SLF001 # what RLock, Condition, Event, ... are made of
    module.RLock = module._PyRLock  # noqa: SLF001
