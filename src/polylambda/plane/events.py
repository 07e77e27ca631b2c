"""Asynchronous invocations on their way: when an event runs, is tried again, is given up, and who is told of it.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import time
from collections import Counter
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Protocol

from polylambda.plane.clock import timestamp
from polylambda.plane.control import NotActive, Throttled
from polylambda.plane.queue import DeadLetter, Event
from polylambda.server.invocation import Invocation

if TYPE_CHECKING:
    from collections.abc import Callable

    from polylambda.plane.clock import Clock
    from polylambda.plane.metrics import FunctionMetrics
    from polylambda.plane.queue import EventQueue

RETRY_AFTER = (60.0, 120.0)
"""Plane seconds to the second and to the third attempt, as on AWS."""

MAX_RETRIES = 2
MAX_AGE = 21_600.0  # plane seconds
LONGEST_BACK_OFF = 300.0  # plane seconds between two tries when nobody can take an event
MAX_CHAIN = 16
"""A function whose destinations lead back to it is stopped there, as by AWS's recursive loop detection."""

CONCURRENT_EVENTS = 256
"""As many are under way at once, of all functions; besides, one of each version that has none."""

LOOK_AGAIN = 0.1
"""Real seconds until events that had no room are looked at again: other callers may have made some."""


class Gone(Exception):
    """The function or the version that an event is for was deleted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventPolicy:
    """What the event-invoke config says.

    Attributes:
        retries: 0 to 2.
        max_age: plane seconds.
        on_success: ARN of the destination of what succeeded; None: nobody.
        on_failure: ARN of the destination of what failed for good; None: nobody.
    """

    retries: int = MAX_RETRIES
    max_age: float = MAX_AGE
    on_success: str | None = None
    on_failure: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of an attempt: the function's answer, or its error."""

    payload: bytes
    failed: bool
    executed_version: str


class Functions(Protocol):
    """What the dispatcher must be told of functions, and asks of them."""

    def room(self, function: str, version: str) -> int:
        """Return how many invocations the environments of a version could take now."""
        ...

    def policy(self, event: Event) -> EventPolicy:
        """Return the event-invoke config for `event`."""
        ...

    async def attempt(self, event: Event) -> Result:
        """Run the function on `event`.

        Raises:
            Throttled: nobody could take it.
            NotActive: the version takes no invocations now.
            Gone: it never will again.
        """
        ...

    def destination(self, arn: str) -> tuple[str, str, str | None] | None:
        """Return function, version and qualifier behind the ARN of a destination; None: there is no such function."""
        ...

    def metrics(self, event: Event) -> FunctionMetrics:
        """Return the figures of the version that `event` is for."""
        ...


class Dispatcher:
    """Takes events from the queue when they are due, and sees each to its end."""

    def __init__(
        self, queue: EventQueue, functions: Functions, clock: Clock, *, wall: Callable[[], float] = time.time
    ) -> None:
        """Take events of `queue`; `wall` tells Unix time."""
        self._queue = queue
        self._functions = functions
        self._clock = clock
        self._wall = wall
        self._wake = asyncio.Event()
        self._under_way: set[asyncio.Task[None]] = set()
        self._under_way_of: Counter[tuple[str, str]] = Counter()

    def put(self, function: str, version: str, qualifier: str | None, invocation: Invocation) -> None:
        """Keep an event, safely, and run it as soon as possible."""
        event = Event(
            function=function, version=version, qualifier=qualifier, invocation=invocation, accepted_at=self._wall()
        )
        self._queue.put(event)
        self._functions.metrics(event).count("AsyncEventsReceived")
        self._wake.set()

    def wake(self) -> None:
        """Look at the queue again."""
        self._wake.set()

    async def run(self) -> None:
        """Take events until cancelled. `finish` what is under way then."""
        while True:
            self._wake.clear()
            wait = self._dispatch()
            # Not wait_for, which before Python 3.12 may lose a cancellation that comes together with the event.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._wake.wait()

    def _dispatch(self) -> float | None:
        """Begin with what is due and has room; return in how many real seconds to look again, None: when woken.

        No more events of a version are taken than its free slots could hold: were all of them tried at once, nearly all
        would be refused and wait ever longer, while slots become free that nobody uses. One is tried in any case: whether
        nobody can take it is not decided here.

        A function with many free slots must not keep the others waiting: who has the least under way comes first, and
        each gets at most an equal share of what is left.
        """
        now = self._wall()
        wait: float | None = None
        waiting: list[tuple[str, str]] = []
        for version, due in self._queue.due().items():
            later = due - now
            if later <= 0:
                waiting.append(version)
                later = LOOK_AGAIN
            wait = later if wait is None else min(wait, later)
        waiting.sort(key=lambda version: self._under_way_of[version])
        for number, version in enumerate(waiting):
            left = max(0, CONCURRENT_EVENTS - len(self._under_way))
            share = math.ceil(left / (len(waiting) - number))
            limit = min(self._functions.room(*version), share)
            for event in self._queue.take(*version, now, max(limit, 0 if self._under_way_of[version] else 1)):
                self._begin(event)
        return wait

    def _begin(self, event: Event) -> None:
        task = asyncio.create_task(self._see_to(event), name=f"event {event.invocation.request_id}")
        self._under_way.add(task)
        self._under_way_of[event.function, event.version] += 1
        task.add_done_callback(partial(self._ended, event))

    async def finish(self, *, drain: float) -> None:
        """Let what is under way have `drain` real seconds; what takes longer stays in the queue, and runs again."""
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=drain)
        left = list(self._under_way)
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left)

    def _ended(self, event: Event, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        self._under_way_of[event.function, event.version] -= 1
        self._wake.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            asyncio.get_running_loop().call_exception_handler(
                {"message": "a defect of polylambda: an event was not seen to its end", "exception": error}
            )

    async def _see_to(self, event: Event) -> None:
        """Make one attempt, and decide what follows."""
        policy = self._functions.policy(event)
        metrics = self._functions.metrics(event)
        expires = event.accepted_at + self._clock.real(policy.max_age)
        if self._wall() >= expires:
            self._give_up(event, policy, "EventAgeExceeded", None)
            return
        metrics.event_age.add((self._wall() - event.accepted_at) * 1000)
        try:
            result = await self._functions.attempt(event)
        except (Throttled, NotActive):
            delay = min(LONGEST_BACK_OFF, 2.0**event.refusals)
            self._later(replace(event, refusals=event.refusals + 1), delay, expires)
            return
        except Gone:
            self._give_up(event, policy, "FunctionDeleted", None)
            return
        event = replace(event, attempts=event.attempts + 1, refusals=0)
        if not result.failed:
            self._end(event, policy.on_success, "Success", result)
        elif event.attempts > policy.retries:
            self._give_up(event, policy, "RetriesExhausted", result)
        else:
            self._later(event, RETRY_AFTER[min(event.attempts, len(RETRY_AFTER)) - 1], expires)

    def _later(self, event: Event, delay: float, expires: float) -> None:
        """Wait for `delay` plane seconds; one that grows too old meanwhile is given up on time."""
        self._queue.put_back(event, min(self._wall() + self._clock.real(delay), expires))

    def _give_up(self, event: Event, policy: EventPolicy, condition: str, result: Result | None) -> None:
        self._functions.metrics(event).count("AsyncEventsDropped")
        self._end(event, policy.on_failure, condition, result)

    def _end(self, event: Event, destination: str | None, condition: str, result: Result | None) -> None:
        """Remove an event, and with it keep what tells of it: an event for its destination, or else a dead letter."""
        follow_up = None
        problem = ""
        if destination is not None:
            target = self._functions.destination(destination)
            chain = (*event.chain, event.invocation.invoked_function_arn)
            if target is None:
                problem = f"there is no function {destination} for its destination"
            elif len(chain) >= MAX_CHAIN:
                problem = "its destinations lead in a circle"
            else:
                follow_up = _follow_up(event, destination, target, condition, result, self._wall(), chain)
        if problem:
            self._functions.metrics(event).count("DestinationDeliveryFailures")
        letter = None
        if problem or (condition != "Success" and follow_up is None):
            letter = _letter(event, "; ".join(part for part in (condition, problem) if part), result, self._wall())
        self._queue.finish(event, follow_up=follow_up, letter=letter)
        if follow_up is not None:
            self._functions.metrics(follow_up).count("AsyncEventsReceived")
            self._wake.set()


def _follow_up(
    event: Event,
    arn: str,
    target: tuple[str, str, str | None],
    condition: str,
    result: Result | None,
    now: float,
    chain: tuple[str, ...],
) -> Event:
    """The event that tells a destination what became of `event`."""
    function, version, qualifier = target
    return Event(
        function=function,
        version=version,
        qualifier=qualifier,
        invocation=Invocation(
            payload=json.dumps(envelope(event, condition, result, now)).encode(), invoked_function_arn=arn
        ),
        accepted_at=now,
        chain=chain,
    )


def envelope(event: Event, condition: str, result: Result | None, now: float) -> dict[str, object]:
    """Return AWS's record of an asynchronous invocation, as destinations get it.

    https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
    """
    record: dict[str, object] = {
        "version": "1.0",
        "timestamp": timestamp(now),
        "requestContext": {
            "requestId": event.invocation.request_id,
            "functionArn": event.invocation.invoked_function_arn,
            "condition": condition,
            "approximateInvokeCount": event.attempts,
        },
        "requestPayload": _readable(event.invocation.payload),
    }
    if result is not None:
        context: dict[str, object] = {"statusCode": 200, "executedVersion": result.executed_version}
        if result.failed:
            context["functionError"] = "Unhandled"
        record["responseContext"] = context
        record["responsePayload"] = _readable(result.payload)
    return record


def _letter(event: Event, condition: str, result: Result | None, now: float) -> DeadLetter:
    return DeadLetter(
        time=timestamp(now),
        request_id=event.invocation.request_id,
        function_arn=event.invocation.invoked_function_arn,
        condition=condition,
        attempts=event.attempts,
        request_payload=_readable(event.invocation.payload),
        response_payload=None if result is None else _readable(result.payload),
    )


def _readable(payload: bytes) -> object:
    """The JSON in `payload`, or its text when it is none."""
    try:
        return json.loads(payload)
    except (ValueError, RecursionError):
        return payload.decode("utf-8", "replace")
