"""The execution environment of a local server, whose runtime is replaced when its code changes or it breaks."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from typing import TYPE_CHECKING, Protocol, Self

from polylambda.errors import ConfigurationError
from polylambda.server.broker import Broker, Invocation, Response
from polylambda.server.environment import RuntimeApi
from polylambda.server.errors import CannotStart
from polylambda.server.process import Exit, RuntimeProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from polylambda.server.function import FunctionConfiguration
    from polylambda.server.process import OutputLine

GRACE = 5.0
"""Seconds that a runtime has for its background work and its lifespan when it is told to end."""


class Observer(Protocol):
    """Whoever wants to know what happens to the runtime."""

    def event(self, text: str) -> None:
        """Take note of something that is as it should be."""
        ...

    def problem(self, text: str) -> None:
        """Take note of something that is not."""
        ...


class Environment:
    """A broker, the Runtime API, and one runtime process at a time: `async with Environment(...) as environment`.

    A runtime that has exited, also one that could not start, is started again by the next invocation, as on Lambda.
    """

    def __init__(
        self,
        command: Sequence[str],
        configuration: FunctionConfiguration,
        *,
        environ: Callable[[], Mapping[str, str]],
        observer: Observer,
        on_output: OutputLine,
        queue_limit: int,
    ) -> None:
        """Describe the environment.

        Args:
            command: what to run as the runtime.
            configuration: the function's.
            environ: gives the environment variables that the next runtime inherits.
            observer: is told what happens to the runtime.
            on_output: is given each line that the runtime writes.
            queue_limit: invocations that may wait for the runtime.
        """
        self._command = command
        self._environ = environ
        self._observer = observer
        self._on_output = on_output
        self._broker = Broker(queue_limit=queue_limit, max_concurrency=configuration.max_concurrency)
        self._api = RuntimeApi(self._broker, function=configuration)
        self._process: RuntimeProcess | None = None
        self._exited = False
        self._replacing = False
        self._renewal = asyncio.Event()
        self._reason = ""
        self._tasks = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Start the runtime, and return without waiting for it to be ready.

        Raises:
            ConfigurationError: the command cannot be run, or the environment variables cannot be read.
        """
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(self._api)
            try:
                await self._start()
            except CannotStart as error:
                raise ConfigurationError(f"{error}; give the command that runs the function") from error
            stack.push_async_callback(self._stop)
            supervisor = asyncio.create_task(self._supervise(), name="supervisor")
            stack.push_async_callback(_cancelled, supervisor)
            self._tasks = stack.pop_all()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """End the runtime: what it holds fails, so wait for that first."""
        await self._tasks.aclose()

    async def invoke(self, invocation: Invocation) -> Response:
        """Run an invocation, as `Broker.invoke` does."""
        if self._exited:
            self._api.runtime_started()  # forget why the last one failed: this invocation waits for the next one
            self.renew("")
        return await self._broker.invoke(invocation)

    async def init(self) -> tuple[str, bytes] | None:
        """Wait until the runtime is ready (None), or could not start: error type and the error's JSON."""
        return None if await self._api.ready() else self._api.init_error

    def renew(self, reason: str) -> None:
        """Replace the runtime soon. What it holds is finished first; what comes meanwhile waits for the new one."""
        self._reason = reason
        self._renewal.set()

    async def _supervise(self) -> None:
        while True:
            await self._renewal.wait()
            self._renewal.clear()
            if self._reason:
                self._observer.event(self._reason)
            await self._replace()

    async def _replace(self) -> None:
        self._broker.pause()
        self._replacing = True
        try:
            await self._broker.idle()
            await self._stop()
            await self._start()
        except (CannotStart, ConfigurationError) as error:
            self._observer.problem(str(error))
            self._exited = True
            self._api.runtime_exited(str(error))
        finally:
            self._replacing = False
            self._broker.resume()

    async def _start(self) -> None:
        self._exited = False
        self._process = RuntimeProcess(
            self._command,
            self._api,
            environ=self._environ(),
            grace=GRACE,
            on_output=self._on_output,
            on_exit=self._has_exited,
        )
        await self._process.start()

    async def _stop(self) -> None:
        if self._process is not None:
            await self._process.stop()

    def _has_exited(self, how: Exit) -> None:
        if not self._replacing:
            self._exited = True
            self._observer.problem(how.reason)


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])


_ = (os, signal, time)
