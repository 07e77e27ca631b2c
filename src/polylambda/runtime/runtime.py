"""The runtime class, and what `python -m polylambda` does."""

from __future__ import annotations

import sys

from polylambda.runtime.run import Only, Run
from polylambda.settings import Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from polylambda.handlers import Middleware
    from polylambda.lifespan import LifespanLike


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
        self._run: Run | None = None

    def run(self) -> None:
        """Serve invocations until the platform ends the environment, then return.

        SIGTERM, or `stop`, ends it: the invocation under way is answered, the lifespan left. A second SIGTERM ends it at
        once. A handler for SIGTERM of the function's own is called first. May be called again afterwards.

        Raises:
            AlreadyRunning: another runtime is running in this process.
            ConfigurationError: the caller is itself run by an event loop.
            SystemExit: the function could not start, or the Runtime API is gone; the log says why.
        """
        with Only():
            self._run = run = self._make_run(self._settings or Settings())
            try:
                run.execute()
            finally:
                self._run = None

    def check(self, settings: Settings) -> None:
        """Refuse what can be seen to be wrong before the first event; with one invocation at a time there is nothing."""

    def _make_run(self, settings: Settings) -> Run:
        return Run(settings, lambda: self)

    def stop(self) -> None:
        """End `run` in another thread, as SIGTERM does: after the invocation under way."""
        run = self._run
        if run is not None:
            run.stop()


def run_named(name: str, settings: Settings) -> None:
    """Run the handler called `name`, such as `app.handler`: what `python -m polylambda` does.

    It may also name a runtime, `LambdaRuntime` or `LambdaManagedRuntime`, which then runs with its lifespan and middleware.
    What only handles events is run by the one of the two that `AWS_LAMBDA_MAX_CONCURRENCY` asks for.

    Raises:
        SystemExit: the function could not start, or the Runtime API is gone; the log says why.
    """

    def load() -> object:
        from polylambda.runtime.loading import load_handler

        return load_handler(name)

    if settings.task_root is not None and settings.task_root not in sys.path:
        sys.path.insert(0, settings.task_root)
    with Only():
        if settings.max_concurrency in (None, "", "1"):
            Run(settings, lambda: as_runtime(load())).execute()
        else:
            from polylambda.runtime.managed import run_named_managed

            run_named_managed(load, settings)


def as_runtime(target: object) -> LambdaRuntime:
    """Return the runtime that a name stands for, which may be a handler's."""
    return target if isinstance(target, LambdaRuntime) else LambdaRuntime(target)
