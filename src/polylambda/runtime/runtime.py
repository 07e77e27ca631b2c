"""The runtime class, and its arc from start to exit.

Read `_Run` from top to bottom: load the handler, enter the lifespan, announce ourselves, serve until told to stop, leave
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
from polylambda.runtime.termination import Termination
from polylambda.runtime.verdict import tell
from polylambda.settings import Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from polylambda.handlers import Handler, Middleware
    from polylambda.lifespan import Lifespan, LifespanLike
    from polylambda.runtime.platform import Extension

_log = logging.getLogger("polylambda")
_running = threading.Lock()


class LambdaRuntime:
    """Run one handler, one invocation at a time.

    Outside Lambda (`AWS_LAMBDA_RUNTIME_API` unset) `run` starts the local server instead.

    Attributes:
        handler: as it was given.
        lifespan: as it was given.
        middleware: as it was given.

    Example:
        >>> def handler(event, context):
        ...     return {"hello": event["name"]}
        >>> LambdaRuntime(handler).run()  # doctest: +SKIP
    """

    def __init__(
        self,
        handler: object,
        *,
        lifespan: LifespanLike | None = None,
        middleware: Sequence[Middleware] = (),
        settings: Settings | None = None,
    ) -> None:
        """Take what to run; nothing happens before `run`.

        Args:
            handler: a function, coroutine function, generator function or asynchronous generator function of
                `(event, context)` or `(event, response, context)`, or an object with such a method `handle`.
            lifespan: a context manager, or a callable that makes one, synchronous or asynchronous, entered before the first
                event; what it yields is `context.state`.
            middleware: callables `(payload, response, context, call_next)` around the handler, outermost first.
            settings: what would be read from the environment, whose `AWS_LAMBDA_MAX_CONCURRENCY` means nothing here.
        """
        self.handler = handler
        self.lifespan = lifespan
        self.middleware = tuple(middleware)
        self._settings = settings
        self._run: _Run | None = None

    def run(self) -> None:
        """Serve invocations until the platform ends the environment, then return.

        SIGTERM, or `stop`, ends it: the invocation under way is answered, the lifespan left. A second SIGTERM ends it at
        once. A handler for SIGTERM of the function's own is called first. May be called again afterwards.

        Raises:
            AlreadyRunning: another runtime is running in this process.
            ConfigurationError: the caller is itself run by an event loop.
            SystemExit: the function could not start, or the Runtime API is gone; the log says why.
        """
        run = _Run(self._settings or Settings(), lambda: self)
        with _Only():
            self._run = run
            try:
                run.execute()
            finally:
                self._run = None

    def stop(self) -> None:
        """End `run` in another thread, as SIGTERM does: after the invocation under way."""
        run = self._run
        if run is not None:
            run.stop()


def run_named(name: str, settings: Settings) -> None:
    """Run the handler called `name`, such as `app.handler`: what `python -m polylambda` does.

    It may also name a `LambdaRuntime`, whose handler then runs with its lifespan and middleware.

    Raises:
        SystemExit: the function could not start, or the Runtime API is gone; the log says why.
    """
    from polylambda.runtime.loading import load_handler

    if settings.task_root is not None and settings.task_root not in sys.path:
        sys.path.insert(0, settings.task_root)
    with _Only():
        _Run(settings, lambda: load_handler(name)).execute()


class _Run:
    """One run of a runtime."""

    def __init__(self, settings: Settings, load: Callable[[], object]) -> None:
        self._settings = settings
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
            from polylambda.local import serve_program

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
        with _Initialising(address):
            logs.setup(self._settings)
            handler = self._compile()
        with self._termination:
            if handler.is_async:
                from polylambda import loop

                loop.run_until_complete(self._serve_async(address, handler))
            else:
                self._serve(address, handler)

    def _compile(self) -> Handler:
        target = self._load()
        runtime = target if isinstance(target, LambdaRuntime) else LambdaRuntime(target)
        handler = compile_handler(runtime.handler, runtime.middleware)
        # Most functions have neither a lifespan nor a loop, and start the faster for not importing them.
        if runtime.lifespan is not None:
            from polylambda.lifespan import Lifespan

            self._lifespan = Lifespan(runtime.lifespan)
        if handler.is_async or self._settings.loop != "auto":
            from polylambda import loop

            loop.choose(self._settings.loop)
            if handler.is_async:
                loop.prepare()
        return handler

    def _serve(self, address: Address, handler: Handler) -> None:
        from polylambda.rapi.blocking import BlockingClient
        from polylambda.runtime.worker import Worker

        state: object = None
        if self._lifespan is not None:
            with _Initialising(address):
                state = self._lifespan.enter()
        try:
            self._announce(address)
            client = BlockingClient(address, pipelining=self._settings.pipelining)
            self._stop_worker = client.stop
            if self._stopping:
                client.stop()
            Worker(client, handler, self._settings, state=state).run()
        finally:
            self._stop_worker = None
            if self._lifespan is not None:
                with _Ending():
                    self._lifespan.leave()

    async def _serve_async(self, address: Address, handler: Handler) -> None:
        import asyncio

        from polylambda.runtime.async_worker import AsyncWorker

        state: object = None
        if self._lifespan is not None:
            with _Initialising(address):
                state = await self._lifespan.enter_async()
        try:
            self._announce(address)
            worker = AsyncWorker(address, handler, self._settings, state=state)
            running = asyncio.get_running_loop()
            self._stop_worker = lambda: running.call_soon_threadsafe(worker.stop)
            self._abort_worker = lambda reason: running.call_soon_threadsafe(worker.abort, reason)
            if self._stopping:
                worker.stop()
            await worker.run()
        finally:
            self._stop_worker = self._abort_worker = None
            if self._lifespan is not None:
                with _Ending():
                    await self._lifespan.leave_async()

    def _announce(self, address: Address) -> None:
        """Do what the platform wants before the first poll."""
        self._termination.install()  # the lifespan may have put a handler of its own in place of ours
        gc.freeze()  # what was made until now lives as long as the runtime: the collector need not look at it again
        if self._stopping:
            return
        if self._settings.initialization_type == "snap-start":
            from polylambda.runtime.snapstart import wait_for_restore

            wait_for_restore(address)
        elif self._settings.register_extension and (self._lifespan is not None or self._termination.chained):
            from polylambda.runtime.platform import Extension

            self._extension = Extension(address)
            self._extension.register()


class _Only:
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


class _Initialising:
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


class _Ending:
    """What fails in here is written to the log, and ends the process."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Exception):
            tell(error)
            raise SystemExit(1) from None
