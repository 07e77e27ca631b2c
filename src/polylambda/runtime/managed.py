"""The managed runtime: as many slots as the environment asks for, in the layout that suits the handler."""

from __future__ import annotations

import gc
import logging
import threading
from importlib import import_module

from polylambda import logs, safety
from polylambda.errors import ConfigurationError
from polylambda.isolation import Isolation
from polylambda.runtime.cpus import count_vcpus
from polylambda.runtime.layout import HYBRID, MODES, PROCESS, Layout, choose_mode, parse_max_concurrency, plan
from polylambda.runtime.limits import Limits
from polylambda.runtime.run import Initialising, Run
from polylambda.runtime.runtime import LambdaRuntime
from polylambda.runtime.share import Share, give, of_this_process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Literal

    from polylambda.handlers import Handler, Middleware
    from polylambda.lifespan import LifespanLike
    from polylambda.rapi.address import Address
    from polylambda.runtime.async_pool import AsyncPool
    from polylambda.runtime.async_worker import AsyncWorker
    from polylambda.settings import Settings

    Mode = Literal["task", "thread", "process", "hybrid"]

_log = logging.getLogger("polylambda")


class LambdaManagedRuntime(LambdaRuntime):
    """Run one handler, as many invocations at a time as `AWS_LAMBDA_MAX_CONCURRENCY` says.

    Unset or 1, it serves one at a time exactly as `LambdaRuntime` does. Above that the slots are spread over processes,
    threads and tasks by a mode:

    - `task`: tasks of one event loop, for `async def` handlers;
    - `thread`: threads of one process, for `def` handlers that are declared `@concurrency_safe`;
    - `process`: a process for each slot, for any handler;
    - `hybrid`: a process for each vCPU, with tasks or threads in it.

    By default an `async def` handler has `task`, or `hybrid` with more than one vCPU; a `def` handler `process`, unless it is
    declared safe: then `thread` or `hybrid`. See
    https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances.html.

    Attributes:
        handler: as it was given.
        lifespan: as it was given; it is entered once in each process.
        middleware: as it was given.
        concurrency: as it was given.

    Example:
        >>> async def handler(event, context):
        ...     return {"hello": event["name"]}
        >>> LambdaManagedRuntime(handler).run()  # doctest: +SKIP
    """

    def __init__(
        self,
        handler: object,
        *,
        concurrency: Mode | None = None,
        lifespan: LifespanLike | None = None,
        middleware: Sequence[Middleware] = (),
        settings: Settings | None = None,
    ) -> None:
        """Take what to run; nothing happens before `run`.

        Args:
            handler: as for `LambdaRuntime`, but safe to run concurrently.
            concurrency: the mode; the environment's `AWS_LAMBDA_CONCURRENCY_MODE` goes before it.
            lifespan: as for `LambdaRuntime`.
            middleware: as for `LambdaRuntime`.
            settings: what would be read from the environment.
        """
        super().__init__(handler, lifespan=lifespan, middleware=middleware, settings=settings)
        self.concurrency: Mode | None = concurrency

    def check(self, settings: Settings) -> None:
        """Refuse a handler that is visibly unsafe to run concurrently.

        Raises:
            ConfigurationError: names what invocations would share, and the ways out.
        """
        if wanted_mode(settings, self) != PROCESS:
            safety.refuse_shared_state(self.handler)

    def _make_run(self, settings: Settings) -> Run:
        return _managed_run(settings, lambda: self)


class _Named(LambdaManagedRuntime):
    """A handler that was given by its name, and says nothing of itself."""

    def check(self, settings: Settings) -> None:
        """Wait until the layout is known: with a process for each slot nothing is shared."""


def run_named_managed(load: Callable[[], object], settings: Settings) -> None:
    """Run what `load` imports with the slots that the environment asks for."""

    def load_runtime() -> LambdaRuntime:
        target = load()
        return target if isinstance(target, LambdaRuntime) else _Named(target)

    _managed_run(settings, load_runtime, named=True).execute()


def wanted_mode(settings: Settings, runtime: LambdaRuntime | None) -> str | None:
    """Return the mode that somebody has chosen."""
    wanted = settings.concurrency_mode or getattr(runtime, "concurrency", None)
    return None if wanted is None else wanted.strip().lower()


def early_layout(settings: Settings) -> Layout | None:
    """Return the layout, if it is known without the function."""
    slots, _ = parse_max_concurrency(settings.max_concurrency)
    wanted = wanted_mode(settings, None)
    return plan(wanted, slots, vcpus=count_vcpus()) if wanted in MODES else None


def _managed_run(settings: Settings, load: Callable[[], LambdaRuntime], *, named: bool = False) -> Run:
    slots, warning = parse_max_concurrency(settings.max_concurrency)
    return Run(settings, load, warning) if slots == 1 else _ManagedRun(settings, load, slots, named=named)


class _ManagedRun(Run):
    """One run of a runtime that has several slots: a whole environment's, or a worker process's share of them."""

    def __init__(self, settings: Settings, load: Callable[[], LambdaRuntime], slots: int, *, named: bool) -> None:
        """Describe the run; `named` says that nothing of the function has been imported yet."""
        super().__init__(settings, load)
        self._slots = slots
        self._named = named
        self._share = of_this_process()
        self._limits: Limits

    def _execute(self, address: Address) -> None:
        with Initialising(address):
            logs.setup(self._settings, tag=True)
            self._limits = Limits(self._settings)
        if self._share is None and self._named and not self._settings.preload:
            layout = early_layout(self._settings)
            if layout is not None and len(layout.slots) > 1:
                # While nothing was imported that forked processes should not share.
                self._share = self._supervise(address, layout)
                if self._share is None:
                    return
        with Initialising(address):
            if self._share is not None:
                self._connect_output()
            runtime = self._load()
            handler = self._compile(runtime)
            if self._share is None:
                layout = self._choose_layout(runtime, handler)
            elif isinstance(runtime, LambdaManagedRuntime):
                self._choose_layout(runtime, handler)  # which is chosen already, but not seen to suit the handler
                layout = None
            else:
                raise ConfigurationError(
                    "the handler's name is that of a LambdaRuntime, which serves one invocation at a time: make it a "
                    "LambdaManagedRuntime, or do not set AWS_LAMBDA_CONCURRENCY_MODE"
                )
        if layout is not None:
            self._share = self._divide(address, layout)
        if self._share is None:
            return
        with Initialising(address):
            self._choose_loop(handler)
        with Isolation(trace=len(self._share.slots) > 1):
            self._go(address, handler)

    def _choose_layout(self, runtime: LambdaRuntime, handler: Handler) -> Layout:
        """Choose the layout, which depends on the handler unless somebody chose before.

        Raises:
            ConfigurationError: the handler does not fit the mode that was chosen.
        """
        if not isinstance(runtime, LambdaManagedRuntime):
            return Layout("sequential", (1,))
        wanted = wanted_mode(self._settings, runtime)
        is_safe = safety.is_declared_safe(runtime.handler)
        vcpus = count_vcpus() if may_fork() else 1
        mode = choose_mode(wanted, is_async=handler.is_async, is_safe=is_safe, vcpus=vcpus, handler=handler.name)
        if mode != PROCESS:
            safety.refuse_shared_state(runtime.handler)
        elif not may_fork():
            raise ConfigurationError(
                f"handler {handler.name} would run in {self._slots} processes, which only the main program can start: "
                "run it there, or declare it @concurrency_safe"
            )
        return plan(mode, self._slots, vcpus=vcpus)

    def _divide(self, address: Address, layout: Layout) -> Share | None:
        """Return this process's share of the slots: all of them, or after a fork a worker's; None at the supervisor's end."""
        share: Share | None = None
        if len(layout.slots) == 1:
            _announce_layout(layout)
            share = Share(range(layout.max_concurrency))
        elif self._settings.preload:
            gc.freeze()
            share = self._supervise(address, layout)
        else:
            from polylambda.runtime.program import start_over

            with Initialising(address):
                start_over(layout.mode, self._settings)
        if share is not None:
            with Initialising(address):
                self._connect_output()
        return share

    def _supervise(self, address: Address, layout: Layout) -> Share | None:
        return supervise(address, layout, self._settings, self._limits)

    def _connect_output(self) -> None:
        """Give this process a log stream of its own, if the platform has them."""
        if self._settings.log_socket is not None:
            from polylambda.sinks import connect_output

            connect_output(self._settings.log_socket)

    # One process's part

    def _work(self, address: Address, handler: Handler, state: object) -> None:
        """Serve the slots of this process with threads; a single one needs none."""
        assert self._share is not None
        if len(self._share.slots) > 1:
            from polylambda.runtime.thread_pool import ThreadPool

            pool = ThreadPool(address, handler, self._settings, self._limits, self._share, state=state)
            self._abort_worker = pool.abort
            self._stop_by(pool.stop)
            pool.run()
            return
        slot = self._share.slots.start
        self._work_in_one_slot(address, handler, state, slot=slot, keeper=self._share.keeper(slot))

    def _async_worker(self, address: Address, handler: Handler, state: object) -> AsyncWorker | AsyncPool:
        """Return what serves the slots of this process on the running loop."""
        from polylambda.runtime.async_pool import AsyncPool

        assert self._share is not None
        return AsyncPool(address, handler, self._settings, self._limits, self._share, state=state)

    def _has_an_end(self) -> bool:
        """What other slots are at is to be finished; for workers the supervisor has registered."""
        return of_this_process() is None


def supervise(address: Address, layout: Layout, settings: Settings, limits: Limits) -> Share | None:
    """Fork this process into a supervisor and its workers.

    Returns:
        In a worker its share of the slots; in the supervisor None, when the environment has come to a good end.

    Raises:
        SystemExit: in the supervisor, when it was no good end.
    """
    from polylambda.runtime.platform import Extension
    from polylambda.runtime.supervisor import Supervisor

    _announce_layout(layout)
    extension: Extension | None = None
    if settings.register_extension:
        # Whether a worker has something to do at the end is not known here; in-flight work is enough.
        extension = Extension(address)
        extension.register()
    _import_for_workers(layout, settings)
    share = Supervisor(address, layout, settings, limits).run()
    if extension is not None:
        extension.close()  # in a worker it is a copy that closes
    if share is not None:
        give(share)
    return share


def _import_for_workers(layout: Layout, settings: Settings) -> None:
    """Import what each worker would import for itself, so that they share its memory and start the sooner.

    Only what is ours and the standard library's: it opens nothing.
    """
    import_module("polylambda.runtime.loading")
    import_module("polylambda.runtime.worker")
    if layout.mode == HYBRID:  # whose handlers are `async def`, most of the time
        import_module("polylambda.runtime.async_pool")
        from polylambda import loop

        loop.choose(settings.loop)
        loop.factory()
    gc.freeze()  # so that the workers' collectors do not write to what they share


def may_fork() -> bool:
    """Say whether this is the main program, which may become several processes, and not a thread of a test."""
    return threading.current_thread() is threading.main_thread()


def _announce_layout(layout: Layout) -> None:
    if _log.isEnabledFor(logging.INFO):
        import json  # which starts without it are quicker

        _log.info("%s", json.dumps(layout.event()))
