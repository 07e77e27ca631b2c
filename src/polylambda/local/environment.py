"""The execution environment of a local server, whose runtime is replaced when its code changes or it breaks."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import time
from typing import TYPE_CHECKING, Any, Protocol, Self, cast

from polylambda.errors import ConfigurationError
from polylambda.server.broker import Broker
from polylambda.server.environment import Phase, RuntimeApi
from polylambda.server.errors import CannotStart
from polylambda.server.process import RuntimeProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from polylambda.server.broker import Invocation, Response
    from polylambda.server.function import FunctionConfiguration
    from polylambda.server.process import Exit, OutputLine

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
        self._started_at = 0.0
        self._ending = False  # the runtime ends because we want it to
        self._exited = False  # it ended because it wanted to
        self._stuck = False  # it would not listen to a SIGTERM
        self._pending = 0  # invocations whose answer has not begun
        self._renewal = asyncio.Event()  # another runtime is wanted
        self._settled = asyncio.Event()  # no other runtime is wanted
        self._settled.set()
        self._owned = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Start the runtime, and return without waiting for it to be ready.

        Raises:
            ConfigurationError: the command cannot be run, or its environment variables cannot be read.
        """
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(self._api)
            stack.callback(self._broker.close)
            try:
                await self._start()
            except CannotStart as error:
                raise ConfigurationError(f"{error}: give the command that runs the function") from error
            stack.push_async_callback(self._end)
            supervisor = asyncio.create_task(self._supervise(), name="supervisor of the runtime")
            stack.push_async_callback(_cancel, supervisor)
            self._owned = stack.pop_all()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """End the runtime; what it still holds fails."""
        await self._owned.aclose()

    async def invoke(self, invocation: Invocation) -> Response:
        """Run an invocation, as `Broker.invoke` does."""
        failed = self._exited or self._api.phase is Phase.INIT_FAILED
        if failed and self._settled.is_set():
            self.renew()
        self._pending += 1
        try:
            await self._settled.wait()
            return await self._broker.invoke(invocation)
        finally:
            self._pending -= 1

    async def init_error(self) -> dict[str, Any] | None:
        """Wait for the end of the runtime's init; return the error that it ended with, None when it is ready."""
        if await self._api.ready():
            return None
        error_type, payload = self._api.init_error or ("", b"")
        try:
            error = json.loads(payload)
        except ValueError:
            error = None
        return cast("dict[str, Any]", error) if isinstance(error, dict) else {"errorType": error_type}

    def renew(self, *, stuck: bool = False) -> None:
        """Replace the runtime soon: what it holds is finished first, and what comes meanwhile waits for the new one.

        One that is `stuck` in an invocation that timed out is killed without more ado, as Lambda does.
        """
        self._stuck = self._stuck or stuck
        self._exited = False
        self._settled.clear()
        self._renewal.set()

    def give_up(self) -> None:
        """When it comes to the end, kill the runtime instead of asking it to end."""
        self._stuck = True

    async def _supervise(self) -> None:
        while True:
            watch = asyncio.create_task(self._tell_init(), name="init of the runtime")
            try:
                await self._renewal.wait()
            finally:
                await _cancel(watch)
            self._renewal.clear()
            await self._replace()

    async def _tell_init(self) -> None:
        error = await self.init_error()
        if error is None:
            self._observer.event(f"ready in {(time.monotonic() - self._started_at) * 1000:.0f} ms")
        else:
            reason = ": ".join(str(error[key]) for key in ("errorType", "errorMessage") if error.get(key))
            self._observer.problem(f"the function could not start: {reason}")

    async def _replace(self) -> None:
        self._broker.pause()
        try:
            await self._broker.idle()
            await self._end()
            await self._start()
        except (CannotStart, ConfigurationError) as error:
            self._exited = True
            self._api.runtime_started()
            self._api.runtime_exited(str(error))
        finally:
            self._broker.resume()
            if not self._renewal.is_set():
                self._settled.set()

    async def _start(self) -> None:
        self._started_at = time.monotonic()
        process = RuntimeProcess(
            self._command,
            self._api,
            environ=self._environ(),
            grace=GRACE,
            on_output=self._on_output,
            on_exit=self._has_exited,
        )
        await process.start()
        self._process = process
        self._stuck = False

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        self._ending = True
        try:
            if self._stuck and process.pid is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
            await process.stop()
        finally:
            self._ending = False

    def _has_exited(self, how: Exit) -> None:
        if self._ending:
            return
        self._exited = True
        if self._api.phase is Phase.READY:
            self._observer.problem(how.reason)
            if self._pending:
                self.renew()


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])
    if not task.cancelled():
        task.result()
