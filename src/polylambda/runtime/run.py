"""The arc of a runtime from start to exit.

Read `Run` from top to bottom: load the handler, enter the lifespan, announce ourselves, serve until told to stop, leave
the lifespan.
"""

from __future__ import annotations

import gc
import logging
import sys
import threading

from polylambda import logs
from polylambda.errors import AlreadyRunning, ConfigurationError, RuntimeApiError
from polylambda.handlers import compile_handler
from polylambda.rapi.address import Address
from polylambda.runtime import resume_collections
from polylambda.runtime.termination import Termination

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from polylambda.handlers import Handler
    from polylambda.lifespan import Lifespan
    from polylambda.rapi.keeper import Keeper
    from polylambda.runtime.async_pool import AsyncPool
    from polylambda.runtime.async_worker import AsyncWorker
    from polylambda.runtime.platform import Extension
    from polylambda.runtime.runtime import LambdaRuntime
    from polylambda.settings import Settings

_log = logging.getLogger("polylambda")
_running = threading.Lock()


class Run:
    """One run of a runtime that has one slot."""

    def __init__(self, settings: Settings, load: Callable[[], LambdaRuntime], warning: str | None = None) -> None:
        """Describe the run; `execute` does it.

        Args:
            settings: the environment's.
            load: returns what to run.
            warning: is logged at the start.
        """
        self._settings = settings
        self._warning = warning
        self._load = load
        self._lifespan: Lifespan | None = None
        self._extension: Extension | None = None
        self._termination = Termination(self.stop, self._abort)
        self._stop_worker: Callable[[], object] | None = None
        self._abort_worker: Callable[[SystemExit], object] | None = None
        self._stopping = False

    def execute(self) -> None:
        """Run here, or under the local server outside Lambda."""
        if self._settings.runtime_api is None:
            resume_collections()
            try:
                from polylambda.local import serve_program
            except ModuleNotFoundError as error:
                if error.name != "polylambda.local":
                    raise
                raise SystemExit(
                    "polylambda: AWS_LAMBDA_RUNTIME_API is not set, and what is installed here is only what Lambda needs: "
                    "run it there, or pip install 'polylambda[local]'"
                ) from None
            serve_program(self._settings)
            return
        try:
            address = Address(self._settings.runtime_api)
        except ConfigurationError as error:
            raise SystemExit(f"polylambda: {error}") from None
        try:
            self._execute(address)
        except RuntimeApiError as error:
            _log.critical("%s", error)
            raise SystemExit(1) from None
        finally:
            if self._extension is not None:
                self._extension.close()
            gc.unfreeze()
            if "polylambda.loop" in sys.modules:  # else nobody used it
                from polylambda import loop

                loop.close()
            logs.teardown()

    def stop(self) -> None:
        """End the run; called from a signal handler or another thread."""
        self._stopping = True
        if self._stop_worker is not None:
            self._stop_worker()

    def _abort(self, reason: SystemExit) -> None:
        """End the run at once; called from a signal handler."""
        abort, self._abort_worker = self._abort_worker, None
        if abort is None:
            raise reason
        abort(reason)  # what an event loop is at must not be interrupted just anywhere

    def _execute(self, address: Address) -> None:
        with Initialising(address):
            logs.setup(self._settings)
            if self._warning is not None:
                _log.warning("%s", self._warning)
            handler = self._compile(self._load())
            self._choose_loop(handler)
        self._go(address, handler)

    def _go(self, address: Address, handler: Handler) -> None:
        """Serve until the end."""
        with self._termination:
            if handler.is_async:
                from polylambda import loop

                loop.run_until_complete(self._serve_async(address, handler))
            else:
                self._serve(address, handler)

    def _compile(self, runtime: LambdaRuntime) -> Handler:
        handler = compile_handler(runtime.handler, runtime.middleware)
        runtime.check(self._settings)
        # Most functions have neither a lifespan nor a loop, and start the faster for not importing them.
        if runtime.lifespan is not None or handler.lifespan is not None:
            from polylambda.lifespan import Lifespan

            self._lifespan = Lifespan(runtime.lifespan, handler.lifespan)
        return handler

    def _choose_loop(self, handler: Handler) -> None:
        if handler.is_async or self._settings.loop != "auto":
            from polylambda import loop

            loop.choose(self._settings.loop)
            if handler.is_async:
                loop.prepare()

    def _serve(self, address: Address, handler: Handler) -> None:
        state: object = None
        if self._lifespan is not None:
            with Initialising(address):
                state = self._lifespan.enter()
        try:
            self._announce(address)
            self._work(address, handler, state)
        finally:
            self._stop_worker = self._abort_worker = None
            if self._lifespan is not None:
                with Ending():
                    self._lifespan.leave()

    def _work(self, address: Address, handler: Handler, state: object) -> None:
        """Serve invocations on this thread."""
        self._work_in_one_slot(address, handler, state)

    def _work_in_one_slot(
        self, address: Address, handler: Handler, state: object, *, slot: int = 0, keeper: Keeper | None = None
    ) -> None:
        from polylambda.rapi.blocking import BlockingClient
        from polylambda.runtime.worker import Worker

        settings = self._settings
        # Where there is a keeper, other processes have the other slots.
        poll_first = settings.poll_first and keeper is not None
        client = BlockingClient(address, pipelining=settings.pipelining, poll_first=poll_first, keeper=keeper)
        self._stop_by(client.stop)
        Worker(client, handler, settings, state=state, slot=slot).run()

    def _stop_by(self, stop: Callable[[], object]) -> None:
        """Have `stop` called when the run is to end, which may have been said before."""
        self._stop_worker = stop
        if self._stopping:
            stop()

    async def _serve_async(self, address: Address, handler: Handler) -> None:
        state: object = None
        if self._lifespan is not None:
            with Initialising(address):
                state = await self._lifespan.enter_async()
        try:
            self._announce(address)
            import asyncio

            worker = self._async_worker(address, handler, state)
            running = asyncio.get_running_loop()
            self._abort_worker = lambda reason: running.call_soon_threadsafe(worker.abort, reason)
            self._stop_by(lambda: running.call_soon_threadsafe(worker.stop))
            await worker.run()
        finally:
            self._stop_worker = self._abort_worker = None
            if self._lifespan is not None:
                with Ending():
                    await self._lifespan.leave_async()

    def _async_worker(self, address: Address, handler: Handler, state: object) -> AsyncWorker | AsyncPool:
        """Return what serves invocations on the running loop."""
        from polylambda.runtime.async_worker import AsyncWorker

        return AsyncWorker(address, handler, self._settings, state=state)

    def _announce(self, address: Address) -> None:
        """Do what the platform wants before the first poll."""
        self._termination.install()  # the lifespan may have put a handler of its own in place of ours
        resume_collections()
        gc.freeze()  # what was made until now lives as long as the runtime: the collector need not look at it again
        if self._stopping:
            return
        if self._settings.initialization_type == "snap-start":
            from polylambda.runtime.snapstart import wait_for_restore

            wait_for_restore(address)
        elif self._settings.register_extension and self._has_an_end():
            from polylambda.runtime.platform import Extension

            self._extension = Extension(address)
            self._extension.register()

    def _has_an_end(self) -> bool:
        """Say whether something is to be done at the end, so that the platform should send SIGTERM before."""
        return self._lifespan is not None or self._termination.chained


class Only:
    """One runtime at a time, in the main program and not in an event loop's."""

    def __enter__(self) -> None:
        if "asyncio" in sys.modules:  # else there is no event loop
            from polylambda import loop

            if loop.is_running():
                raise ConfigurationError("run() was called by an event loop: call it from the main program")
        if not _running.acquire(blocking=False):
            raise AlreadyRunning("another runtime is running in this process: a process runs one at a time")

    def __exit__(self, *outcome: object) -> None:
        _running.release()


class Initialising:
    """What fails in here is reported as the reason why the function cannot start, and ends the process."""

    def __init__(self, address: Address) -> None:
        self._address = address

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Exception):
            from polylambda.runtime.platform import post_init_error

            post_init_error(self._address, error)
            raise SystemExit(1) from None


class Ending:
    """What fails in here is written to the log, and ends the process."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Exception):
            from polylambda.runtime.verdict import tell

            tell(error)
            raise SystemExit(1) from None
