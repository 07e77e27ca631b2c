"""An event loop that decides by seed which invocation makes the next step, and whose clock waits for nobody.

What asyncio promises is kept: the steps of one invocation keep their order, and a timer is due when its time has come. What
it leaves to chance, which of the invocations that could go on does, is drawn. When nothing is left to do but to wait for
timers, the clock is set to the next one; not so while a socket, a thread or a process of the handler's may still move.
"""

from __future__ import annotations

import asyncio
import selectors
import socket
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextvars import Context

    from polylambda.check.dynamic.child.stage import Stage

_LULL = 0.0003  # seconds without anything from the network before the clock is set
_JOB = 0.05  # seconds that a job in another thread may take before others go on without it


class Turns:
    """What is ready to run: the runtime's callbacks first, then one step of the invocation whose turn it is.

    It stands in for the deque that asyncio keeps its handles in.
    """

    def __init__(self, stage: Stage, began: Callable[[asyncio.Handle | None], None]) -> None:
        """`began` is told of each handle that is about to run."""
        self._stage = stage
        self._began = began
        self._ours: deque[asyncio.Handle] = deque()
        self._theirs: dict[int, deque[asyncio.Handle]] = {}
        self._quota = 0

    def append(self, handle: asyncio.Handle) -> None:
        """Take a handle."""
        number = self._stage.of(getattr(handle, "_context", None))
        if number is None or number not in self._stage.active:  # what the runtime does after it is none of its steps
            self._ours.append(handle)
        else:
            self._theirs.setdefault(number, deque()).append(handle)

    def popleft(self) -> asyncio.Handle:
        """Return the one that is to run now."""
        if self._quota > 0 or not self._theirs:
            self._quota -= 1
            handle = self._ours.popleft()
        else:
            number = self._stage.schedule.next(sorted(self._theirs))
            steps = self._theirs[number]
            handle = steps.popleft()
            if not steps:
                del self._theirs[number]
            self._stage.moved_at = time.monotonic()
        self._began(handle)
        return handle

    def __len__(self) -> int:
        """Return how many are to run before the loop turns: asyncio asks once a turn."""
        self._quota = len(self._ours)
        return self._quota + bool(self._theirs)

    def __bool__(self) -> bool:
        return bool(self._ours) or bool(self._theirs)

    def clear(self) -> None:
        """Drop all of them."""
        self._ours.clear()
        self._theirs.clear()


class _Selector(selectors.DefaultSelector):
    """A selector that tells how long it has waited."""

    waited: Callable[[float], None] | None = None

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if self.waited is None or (timeout is not None and timeout <= 0):
            return super().select(timeout)
        began = time.monotonic()
        try:
            return super().select(timeout)
        finally:
            self.waited(time.monotonic() - began)


class SeededLoop(asyncio.SelectorEventLoop):
    """The loop.

    Attributes:
        turn: when the callback that runs began (monotonic, CPU seconds of the thread), and its context; None between.
        lasted: is told of each callback of an invocation: its number, seconds, CPU seconds, when it began.
    """

    _ready: Any
    _scheduled: list[asyncio.TimerHandle]
    _selector: Any
    _ssock: socket.socket

    def __init__(self, stage: Stage, address: str) -> None:
        """Make a loop for the invocations of `stage`; `address` is the Runtime API's, whose sockets do not count."""
        self._now = 0.0
        self._stage = stage
        host, _, port = address.rpartition(":")
        self._api = (host.strip("[]"), int(port))
        self._jobs = 0
        self._threads = threading.active_count()
        self.turn: tuple[float, float, Context | None] | None = None
        self.lasted: Callable[[int, float, float, float], None] | None = None
        selector = _Selector()
        super().__init__(selector)
        selector.waited = self._waited
        self._ready = Turns(stage, self._began)

    def time(self) -> float:
        """Return the time of the loop's clock, which only passes while the loop waits: what code takes is chance."""
        return self._now

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> Any:
        """Run `func` in a thread, and count it as long as it runs."""
        self._jobs += 1

        def job() -> Any:
            try:
                return func(*args)
            finally:
                self._jobs -= 1

        return super().run_in_executor(executor, job)

    @property
    def is_quiet(self) -> bool:
        """Nothing but the loop itself can move an invocation."""
        if self._jobs > 0 or threading.active_count() > self._threads:
            return False
        return all(self._is_ours(descriptor) for descriptor in self._selector.get_map())

    @property
    def is_stuck(self) -> bool:
        """Nothing will ever move an invocation."""
        return self.turn is None and not self._ready and not self._due() and self.is_quiet

    def _run_once(self) -> None:
        if self._jobs > 0:
            self._await_jobs()
        if not self._ready and self._scheduled and self._stage.active and self._stage.is_on and self.is_quiet:
            time.sleep(_LULL)  # a selector does not wait for less than a millisecond
            events = self._selector.select(0)
            if events:
                self._process_events(events)
            else:
                self._set_clock()
        super()._run_once()  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType] # asyncio's own
        self._began(None)

    def _process_events(self, events: Any) -> None:
        super()._process_events(events)  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]

    def _set_clock(self) -> None:
        due = self._due()
        if due:
            self._now = max(self._now, min(due))

    def _waited(self, seconds: float) -> None:
        """Let the time pass that something outside takes; who waits for the network of the runtime, waits no time."""
        if not self._stage.active or not self.is_quiet:
            self._now += seconds

    def _due(self) -> list[float]:
        return [handle.when() for handle in list(self._scheduled) if not handle.cancelled()]

    def _await_jobs(self) -> None:
        """Give what runs in other threads the time to end, so that its end does not come at any time."""
        end = time.monotonic() + _JOB
        while self._jobs > 0 and time.monotonic() < end:
            time.sleep(0.0002)
        if self._jobs <= 0:
            time.sleep(0.0005)  # for the result to be delivered

    def _is_ours(self, descriptor: int) -> bool:
        if descriptor == self._ssock.fileno():
            return True
        try:
            with socket.fromfd(descriptor, socket.AF_INET, socket.SOCK_STREAM) as copy:
                return copy.getpeername()[:2] == self._api
        except (OSError, TypeError):
            return False

    def _began(self, handle: asyncio.Handle | None) -> None:
        """A callback begins, or the loop turns; so whatever ran before has ended."""
        turn, self.turn = self.turn, None
        if turn is None and handle is None:
            return
        now, cpu = time.monotonic(), time.thread_time()
        if turn is not None and self.lasted is not None:
            number = self._stage.of(turn[2])
            if number is not None:
                self.lasted(number, now - turn[0], cpu - turn[1], turn[0])
        if handle is not None:
            self.turn = now, cpu, getattr(handle, "_context", None)
