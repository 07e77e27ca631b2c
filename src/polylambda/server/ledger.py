"""The ledger of one environment's invocations: which wait, which run, which ran out of time. No I/O, no clock.

The broker asks it what may happen and tells it what did; times are passed in, in seconds.
"""

from __future__ import annotations

from collections import OrderedDict
from itertools import count
from random import getrandbits
from typing import TYPE_CHECKING

from polylambda.server import faults
from polylambda.server.errors import DuplicateRequestId, QueueFull
from polylambda.server.invocation import State, check_step, new_id

if TYPE_CHECKING:
    from polylambda.server.answer import Answer
    from polylambda.server.invocation import Invocation
    from polylambda.server.response import Response

LATE_ANSWERS = 1000  # timed-out invocations whose late answer is still told apart from an unknown one


class Attempt:
    """One delivery of an invocation to the runtime.

    Attributes:
        invocation: what is delivered.
        invocation_id: names this attempt; never used again.
        trace_id: the invocation's, or one that was made up.
        deadline: when it times out, on the clock that the ledger was given.
        deadline_ms: the same in milliseconds since the epoch.
    """

    __slots__ = ("deadline", "deadline_ms", "invocation", "invocation_id", "trace_id")

    def __init__(self, invocation: Invocation, invocation_id: str, now: float, wall: float) -> None:
        timeout = invocation.timeout
        self.invocation = invocation
        self.invocation_id = invocation_id
        self.deadline = now + timeout
        self.deadline_ms = int((wall + timeout) * 1000)
        self.trace_id = invocation.trace_id or _new_trace_id(int(wall))


class Entry:
    """An invocation, where it stands, and where its answer goes.

    Attributes:
        invocation: the event and its metadata.
        response: what its caller waits for.
        state: where it stands.
        attempt: the delivery that counts; None while it waits.
        answer: what the runtime is sending; None unless ANSWERING.
    """

    __slots__ = ("answer", "attempt", "invocation", "response", "state")

    def __init__(self, invocation: Invocation, response: Response) -> None:
        self.invocation = invocation
        self.response = response
        self.state = State.QUEUED
        self.attempt: Attempt | None = None
        self.answer: Answer | None = None

    def step(self, state: State) -> None:
        """Go to `state`. Raises IllegalStep when the table of transitions does not have it."""
        check_step(self.invocation.request_id, self.state, state)
        self.state = state


class Ledger:
    """The invocations of one environment, from their arrival to their end."""

    def __init__(self, *, queue_limit: int, max_concurrency: int | None) -> None:
        self._queue_limit = queue_limit
        self._max_concurrency = max_concurrency
        self._waiting: OrderedDict[str, Entry] = OrderedDict()
        self._held: dict[str, Entry] = {}
        self._late: OrderedDict[str, None] = OrderedDict()
        # Attempts are named like UUIDs: a random beginning per ledger, then a counter.
        self._attempt_prefix = new_id()[:24]
        self._attempt_numbers = count(1)

    @property
    def waiting(self) -> tuple[Entry, ...]:
        """The invocations that no poll has fetched, in their order."""
        return tuple(self._waiting.values())

    @property
    def held(self) -> tuple[Entry, ...]:
        """The invocations that the runtime works on."""
        return tuple(self._held.values())

    @property
    def busy(self) -> int:
        """How many the runtime works on."""
        return len(self._held)

    def can_take(self) -> bool:
        """Say whether an invocation waits that the runtime may have."""
        return bool(self._waiting) and self._has_room()

    def add(self, entry: Entry, idle_polls: int) -> None:
        """Queue an invocation; `idle_polls` of the runtime are waiting for one.

        Raises:
            DuplicateRequestId: its id is waiting or running.
            QueueFull: it would have to wait, and too many do.
        """
        request_id = entry.invocation.request_id
        if request_id in self._waiting or request_id in self._held:
            raise DuplicateRequestId(f"request id {request_id} is under way here; wait for it, or use another id")
        if len(self._waiting) >= self._queue_limit and not (idle_polls and not self._waiting and self._has_room()):
            raise QueueFull(f"{len(self._waiting)} invocations wait for the runtime, the limit is {self._queue_limit}")
        self._waiting[request_id] = entry

    def take(self, now: float, wall: float) -> Attempt:
        """Deliver the first that waits: its time runs from `now`, which the epoch calls `wall`."""
        request_id, entry = self._waiting.popitem(last=False)
        entry.step(State.DELIVERED)
        self._held[request_id] = entry
        invocation_id = f"{self._attempt_prefix}{next(self._attempt_numbers):012x}"
        attempt = entry.attempt = Attempt(entry.invocation, invocation_id, now, wall)
        return attempt

    def put_back(self, attempt: Attempt) -> Entry | None:
        """Queue an invocation again, in front: the delivery never arrived. None when it has moved on since."""
        request_id = attempt.invocation.request_id
        entry = self._held.get(request_id)
        if entry is None or entry.attempt is not attempt or entry.state is not State.DELIVERED:
            return None
        entry.step(State.QUEUED)
        entry.attempt = None
        del self._held[request_id]
        self._waiting[request_id] = entry
        self._waiting.move_to_end(request_id, last=False)
        return entry

    def find(self, request_id: str, invocation_id: str) -> Entry:
        """Return the invocation that the runtime answers; `invocation_id` is empty when it did not say the attempt.

        Raises:
            Refusal: there is none, it came too late, or it is another attempt.
        """
        entry = self._held.get(request_id)
        if entry is None or entry.attempt is None:
            if request_id in self._late:
                del self._late[request_id]
                raise faults.invoke_timeout()
            raise faults.invalid_request_id()
        if invocation_id and invocation_id != entry.attempt.invocation_id:
            raise faults.invalid_invocation_id()
        return entry

    def end(self, entry: Entry, state: State) -> None:
        """Strike an invocation off: it went to `state`, from which there is no further step."""
        entry.step(state)
        request_id = entry.invocation.request_id
        if self._held.pop(request_id, None) is None:
            del self._waiting[request_id]
        if state is State.TIMED_OUT:
            self._late[request_id] = None
            if len(self._late) > LATE_ANSWERS:
                self._late.popitem(last=False)

    def forget_late(self, request_id: str) -> None:
        """Count the late answer of a timed-out invocation as given."""
        self._late.pop(request_id, None)

    def due(self, now: float) -> list[Entry]:
        """Return the invocations whose time is up."""
        return [entry for entry in self._held.values() if entry.attempt is not None and entry.attempt.deadline <= now]

    def next_deadline(self) -> float | None:
        """Return when the next invocation times out; None when none is running."""
        return min((entry.attempt.deadline for entry in self._held.values() if entry.attempt is not None), default=None)

    def _has_room(self) -> bool:
        return self._max_concurrency is None or len(self._held) < self._max_concurrency


def _new_trace_id(now: int) -> str:
    digits = f"{getrandbits(160):040x}"
    return f"Root=1-{now:08x}-{digits[:24]};Parent={digits[24:]};Sampled=0"
