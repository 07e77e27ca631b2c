"""The function that a local server is for: invocations go in here, and are followed to their end."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Protocol

from polylambda.local.logtail import LogTail
from polylambda.server.broker import Invocation, Outcome, Response
from polylambda.server.errors import InvocationRefused, QueueFull

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable

    from polylambda.server.function import FunctionConfiguration


class Invoker(Protocol):
    """Whatever takes an invocation and returns the response, as `Broker.invoke` does."""

    async def invoke(self, invocation: Invocation) -> Response:
        """Run the invocation; return when the head of the response is known."""
        ...


class Run:
    """One invocation on its way, as whoever asked for it sees it.

    Attributes:
        label: what was asked for, such as `POST /invoke`.
        response: None until its head is known.
        size: bytes of the response that were passed on.
        note: what is worth telling beside the outcome; empty when nothing is.
    """

    def __init__(self, invocation: Invocation, label: str) -> None:
        self.request_id = invocation.request_id
        self.label = label
        self.response: Response | None = None
        self.size = 0
        self.note = ""
        self._began = time.monotonic()

    @property
    def outcome(self) -> Outcome:
        """How the invocation ended; PENDING when it has not, or was not waited for."""
        return self.response.outcome if self.response is not None else Outcome.PENDING

    @property
    def duration(self) -> float:
        """Seconds since the invocation was asked for; the time it waited for a free slot is in them."""
        return time.monotonic() - self._began

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the pieces of the response as they arrive."""
        assert self.response is not None
        async for chunk in self.response:
            self.size += len(chunk)
            yield chunk
        # What the runtime wrote to its log before it answered is in a pipe that is read in the same turn of the loop.
        await asyncio.sleep(0)

    async def read(self) -> bytes:
        """Return the whole response."""
        return b"".join([chunk async for chunk in self])


class Function:
    """One function: what it is called, and the way to run it."""

    def __init__(
        self,
        configuration: FunctionConfiguration,
        invoker: Invoker,
        *,
        timeout: float,
        limit: int,
        log_tail: LogTail | None = None,
        on_end: Callable[[Run], None] | None = None,
    ) -> None:
        """Describe a function.

        Args:
            configuration: its name and what else AWS's API tells of it.
            invoker: takes its invocations.
            timeout: seconds that an invocation may take.
            limit: invocations that may be under way, those that wait for the runtime among them.
            log_tail: is told which invocations are under way.
            on_end: called with every run that ended, however it did.
        """
        self.configuration = configuration
        self.timeout = timeout
        self.log_tail = log_tail or LogTail()
        self._invoker = invoker
        self._limit = limit
        self._on_end = on_end
        self._under_way = 0

    @property
    def busy(self) -> bool:
        """Whether an invocation is under way."""
        return self._under_way > 0

    @asynccontextmanager
    async def run(self, invocation: Invocation, label: str) -> AsyncGenerator[tuple[Run, Response]]:
        """Run `invocation`; the body of the `async with` begins when the head of the response is known.

        Leaving the body early hangs up: the rest of the response is thrown away.

        Raises:
            QueueFull: as many as may are under way.
            InvocationRefused: the runtime never saw the invocation.
        """
        run = Run(invocation, label)
        self._under_way += 1
        self.log_tail.begin(run.request_id)
        try:
            if self._under_way > self._limit:
                raise QueueFull(f"{self._limit} invocations are under way, no more may wait")
            run.response = await self._invoker.invoke(invocation)
            yield run, run.response
        except InvocationRefused as error:
            run.note = str(error)
            raise
        finally:
            self._under_way -= 1
            self.log_tail.end(run.request_id)
            if run.response is not None:
                await run.response.aclose()
            if self._on_end is not None:
                self._on_end(run)

    def tail(self, run: Run, version: str) -> str:
        """Return the end of the run's log, base64, as AWS's API gives it."""
        memory_size = self.configuration.memory_size
        return self.log_tail.result(run.request_id, version=version, duration=run.duration, memory_size=memory_size)
