"""The runs that a check is made of, each in a process of its own and with the same seed, events and slots.

`alone` and `again` send one event at a time, `reversed` the same in another order: together they say what the handler does
by itself. `together` is the run in question.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import tempfile
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from polylambda.check.dynamic import planting
from polylambda.check.dynamic.assignment import Assignment
from polylambda.check.dynamic.marks import Marks
from polylambda.check.dynamic.observation import Observation, observe
from polylambda.check.finding import Mode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polylambda.check.dynamic.forks import Forks
    from polylambda.check.dynamic.options import RunOptions


@dataclass(frozen=True, slots=True)
class Event:
    """An event, and where markers are planted in it.

    Attributes:
        payload: as it was given.
        content: what it is in JSON; None when it is no JSON.
        places: where markers go.
    """

    payload: bytes
    content: Any
    places: frozenset[planting.Place]

    def marked(self, marker: str) -> bytes:
        """Return the payload with a marker in it."""
        if not self.places:
            return self.payload
        return json.dumps(planting.plant(self.content, self.places, marker)).encode()


@dataclass(slots=True)
class Rehearsal:
    """What the runs of one handler have in common.

    Attributes:
        forks: gives the processes.
        options: the user's.
        seed: of all of it.
        mode: what a slot is.
        events: that the invocations take in turn.
        concurrency: invocations under way at a time.
        invocations: in all.
        until: when all runs have to be over, on the event loop's clock.
    """

    forks: Forks
    options: RunOptions
    seed: int
    mode: Mode
    events: Sequence[Event]
    concurrency: int
    invocations: int
    until: float

    def smaller(self, events: Sequence[Event], concurrency: int, invocations: int) -> Rehearsal:
        """Return the same with fewer of each."""
        return replace(self, events=events, concurrency=concurrency, invocations=invocations)

    @property
    def root(self) -> str:
        """Folder of the project."""
        return os.path.realpath(self.options.root)

    @property
    def slots(self) -> int:
        """Of the runtime: in process mode each process has one."""
        return 1 if self.mode is Mode.PROCESS else self.concurrency

    async def alone(self, *, probes: tuple[int, ...] = (), thorough: bool = False) -> Observation:
        """Run one at a time, in order; what has grown is named, and if `thorough`, wherever it is."""
        every = [[number] for number in range(self.invocations)]
        return await self._run(every, size=1, probes=probes, thorough=thorough)

    async def reversed(self) -> Observation:
        """Run one at a time, the last first."""
        return await self._run([[number] for number in reversed(range(self.invocations))], size=1)

    async def together(self, *, lines: bool = False) -> Observation:
        """Run as many at a time as there may be; in process mode one process serves all of them, one by one."""
        if self.mode is Mode.PROCESS:
            order = list(range(self.invocations))
            random.Random(f"{self.seed}/order").shuffle(order)  # noqa: S311 # to be had again
            return await self._run([[number] for number in order], size=1, returns=True, lines=lines)
        every = range(self.invocations)
        waves = [every[at : at + self.concurrency] for at in range(0, self.invocations, self.concurrency)]
        switching = self.mode is Mode.THREAD
        return await self._run(waves, size=self.concurrency, switching=switching, returns=True, lines=lines)

    async def once(self, payloads: Sequence[bytes]) -> Observation:
        """Run these payloads, one at a time."""
        return await self._run([[number] for number in range(len(payloads))], size=1, payloads=payloads)

    async def _run(
        self,
        waves: Sequence[Sequence[int]],
        *,
        size: int,
        switching: bool = False,
        returns: bool = False,
        lines: bool = False,
        probes: tuple[int, ...] = (),
        thorough: bool = False,
        payloads: Sequence[bytes] | None = None,
    ) -> Observation:
        if asyncio.get_running_loop().time() > self.until:
            raise TimeoutError
        marks = Marks(self.seed)

        def payload(number: int) -> bytes:
            if payloads is not None:
                return payloads[number]
            return self.events[number % len(self.events)].marked(marks.of(number))

        with tempfile.TemporaryDirectory(prefix="polylambda-check-", ignore_cleanup_errors=True) as folder:
            assignment = Assignment(
                target=self.options.target,
                root=self.root,
                mode=self.mode.value,
                slots=self.slots,
                waves=size,
                last=self.invocations if payloads is None else len(payloads),
                seed=self.seed,
                switching=switching,
                returns=returns,
                lines=lines,
                probes=probes,
                thorough=thorough,
                stall=self.options.stall,
                timeout=self.options.timeout,
                longest=self.options.timeout * (1 if size == 1 else 2),  # several share the processor
                folder=folder,
            )
            seen = await observe(self.forks, assignment, waves, payload, self.until)
            seen.left = _left(seen, assignment)
        return seen


def _left(seen: Observation, assignment: Assignment) -> dict[str, Any]:
    """What invocations created and left, by path; what of it is outside the project's folder is removed."""
    found: dict[str, Any] = {}
    for note in (*seen.of("file"), *seen.of("folder")):
        path = note["path"]
        if note["new"] and os.path.lexists(path):
            found[path] = note
    temporary = os.path.join(tempfile.gettempdir(), "")
    for path in sorted(found, reverse=True):
        if path.startswith(temporary) and not path.startswith(os.path.join(assignment.root, "")):
            with suppress(OSError):
                os.rmdir(path) if os.path.isdir(path) else os.remove(path)
    return found
