"""Run a whole runtime in a test, against a Runtime API in the same process."""

from __future__ import annotations

import asyncio
import json
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Self

from polylambda.errors import PolylambdaError
from polylambda.rapi.headers import JSON
from polylambda.runtime.managed import LambdaManagedRuntime
from polylambda.runtime.runtime import LambdaRuntime
from polylambda.server.broker import Broker, Invocation, Outcome
from polylambda.server.environment import RuntimeApi
from polylambda.server.errors import BrokerClosed
from polylambda.server.function import FunctionConfiguration
from polylambda.settings import Settings
from polylambda.testing.client import as_runtime, payload_of
from polylambda.testing.context import FUNCTION_NAME
from polylambda.testing.recording import Recorder, recording
from polylambda.testing.result import Result, split

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping, Sequence
    from typing import TypeVar

    from polylambda.handlers import Middleware
    from polylambda.lifespan import LifespanLike

    T = TypeVar("T")


class RuntimeClient:
    """A runtime for `handler` in a thread, and the platform's side of it: `with RuntimeClient(handler) as client:`.

    Slower than `HandlerClient`, and closer to Lambda: events and answers go over a socket, deadlines and size limits hold.
    A process runs one runtime at a time.

    With `concurrency=8` it has eight slots, and `invoke`, called from several threads, runs as many invocations at a
    time: as tasks of an `async def` handler, as threads of a `def` handler that is declared `@concurrency_safe`. Other
    handlers would need processes, which a runtime in a thread cannot start.

    Example:
        >>> def greet(event, context):
        ...     return {"hello": event["name"]}
        >>> with RuntimeClient(greet) as client:
        ...     client.invoke({"name": "Ada"}).value
        {'hello': 'Ada'}
    """

    def __init__(
        self,
        handler: object,
        *,
        lifespan: LifespanLike | None = None,
        middleware: Sequence[Middleware] = (),
        timeout: float = 30.0,
        concurrency: int | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        """Describe the runtime; entering starts it.

        Args:
            handler: as for `LambdaRuntime`; or a `LambdaRuntime` or `LambdaManagedRuntime`, which brings its own lifespan
                and middleware.
            lifespan: as for `LambdaRuntime`.
            middleware: as for `LambdaRuntime`.
            timeout: seconds that an invocation may take.
            concurrency: invocations at a time, AWS_LAMBDA_MAX_CONCURRENCY; a handler by itself then runs as that of a
                `LambdaManagedRuntime`.
            environ: more settings for the runtime, such as `AWS_LAMBDA_LOG_LEVEL`; the handler does not see them.

        Raises:
            PolylambdaError: a `LambdaRuntime` was given together with what it brings itself, or with a concurrency.
        """
        self._described = as_runtime(handler, lifespan, middleware)
        sequential = isinstance(handler, LambdaRuntime) and not isinstance(handler, LambdaManagedRuntime)
        if sequential and concurrency is not None:
            raise PolylambdaError(
                "a LambdaRuntime serves one invocation at a time: leave concurrency= out, or give a LambdaManagedRuntime"
            )
        self._concurrent = concurrency is not None
        self._timeout = timeout
        self._environ = environ or {}
        self._platform = _Platform(
            FunctionConfiguration(
                name=FUNCTION_NAME,
                initialization_type="on-demand" if concurrency is None else "lambda-managed-instances",
                max_concurrency=concurrency,
            )
        )
        self._recorder = Recorder()
        self._failure: BaseException | None = None
        self._owned = ExitStack()

    def __enter__(self) -> Self:
        """Start the runtime and wait for it to be ready.

        Raises:
            PolylambdaError: it could not start; the cause is what it ended with.
        """
        with ExitStack() as stack:
            self._recorder = stack.enter_context(recording())
            platform = stack.enter_context(self._platform)
            settings = Settings({**platform.variables, **self._environ})
            runtime = self._make_runtime(settings)
            thread = threading.Thread(target=self._run, args=(runtime,), name="runtime")
            thread.start()
            stack.callback(thread.join)
            if not platform.ready():
                thread.join()
                cause = self._cause
                raise PolylambdaError(f"the runtime could not start: {type(cause).__name__}: {cause}") from cause
            stack.callback(runtime.stop)
            self._owned = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, *exc_info: object) -> None:
        """Stop the runtime: the invocation under way is answered, the lifespan left.

        Raises:
            PolylambdaError: it had ended by itself before; the cause is what it ended with.
        """
        self._owned.close()
        if self._failure is not None and kind is None:
            raise PolylambdaError("the runtime ended by itself") from self._cause

    def invoke(
        self,
        event: object = b"{}",
        *,
        content_type: str = JSON,
        trace_id: str = "",
        tenant_id: str = "",
        client_context: Mapping[str, Any] | None = None,
    ) -> Result:
        """Send one event and return its result when the answer is complete; may be called from several threads.

        With one slot, what the handler does after its answer is over when the next event is answered; with several it goes
        on in the background. It ends before the client was left, by cancellation if it takes longer than the
        `POLYLAMBDA_SHUTDOWN_GRACE`.

        Args:
            event: bytes are the payload as it is; anything else is written as JSON, as a typed result would be.
            content_type: media type of the event.
            trace_id: X-Ray trace header.
            tenant_id: tenant of a function with tenant isolation.
            client_context: what a calling application says of itself: `{"client": {...}, "custom": {...}, "env": {...}}`.

        Raises:
            PolylambdaError: the runtime has ended, or the event cannot be written as JSON.
        """
        invocation = Invocation(
            payload=payload_of(event),
            content_type=content_type,
            timeout=self._timeout,
            invoked_function_arn=self._platform.function.arn,
            trace_id=trace_id,
            client_context="" if client_context is None else json.dumps(client_context),
            tenant_id=tenant_id,
        )
        try:
            result = self._platform.invoke(invocation)
        except BrokerClosed:
            raise PolylambdaError("the runtime ended by itself") from self._cause
        result.records = self._recorder.of(invocation.request_id)
        return result

    def _make_runtime(self, settings: Settings) -> LambdaRuntime:
        of = self._described
        handler, lifespan, middleware = of.handler, of.lifespan, of.middleware
        if isinstance(of, LambdaManagedRuntime):
            return LambdaManagedRuntime(
                handler, concurrency=of.concurrency, lifespan=lifespan, middleware=middleware, settings=settings
            )
        kind = LambdaManagedRuntime if self._concurrent else LambdaRuntime
        return kind(handler, lifespan=lifespan, middleware=middleware, settings=settings)

    @property
    def _cause(self) -> BaseException | None:
        failure = self._failure
        # The runtime says why it ends, then ends the process.
        return (failure.__context__ or failure) if isinstance(failure, SystemExit) else failure

    def _run(self, runtime: LambdaRuntime) -> None:
        try:
            runtime.run()
        except BaseException as error:  # raised where the test is
            self._failure = error
        finally:
            self._platform.runtime_ended()


class _Platform:
    """A Runtime API and its broker, on an event loop in a thread of its own."""

    def __init__(self, function: FunctionConfiguration) -> None:
        self.function = function
        self._broker = Broker()
        self._api = RuntimeApi(self._broker, function=function)
        self._loop: asyncio.AbstractEventLoop
        self._owned = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._loop = asyncio.new_event_loop()
            stack.callback(self._loop.close)
            thread = threading.Thread(target=self._loop.run_forever, name="runtime-api")
            thread.start()
            stack.callback(thread.join)
            stack.callback(self._loop.call_soon_threadsafe, self._loop.stop)
            self._wait_for(self._api.start())
            stack.callback(lambda: self._wait_for(self._api.stop()))
            self._owned = stack.pop_all()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._owned.close()

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables that Lambda sets."""
        return self.function.environment_variables(self._api.address)

    def ready(self) -> bool:
        """Wait until the runtime polls, or has failed to start."""
        return self._wait_for(self._api.ready())

    def runtime_ended(self) -> None:
        """Fail what the runtime holds, and what is sent to it from now on; called from its thread."""

        def close() -> None:
            self._api.runtime_exited("the runtime's thread ended")
            self._broker.close()

        self._loop.call_soon_threadsafe(close)

    def invoke(self, invocation: Invocation) -> Result:
        return self._wait_for(self._invoke(invocation))

    async def _invoke(self, invocation: Invocation) -> Result:
        response = await self._broker.invoke(invocation)
        pieces = [piece async for piece in response]
        result = Result(
            content_type=response.content_type,
            streamed=response.streamed,
            answered=response.outcome is Outcome.SUCCESS,
        )
        if not result.answered:
            # The error of a buffered answer is in its place, that of a stream behind it.
            told = response.error_body if response.streamed else b"".join(pieces)
            result.error = json.loads(told) if told else {"errorType": response.error_type}
        if result.answered or result.streamed:
            result.prelude, result.chunks = split(pieces, response.content_type)
        return result

    def _wait_for(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()
