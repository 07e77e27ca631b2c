"""Run a whole runtime in a test, against a Runtime API in the same process."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import TYPE_CHECKING, Any, Self

from polylambda.errors import PolylambdaError
from polylambda.rapi import headers as names
from polylambda.runtime.runtime import LambdaRuntime
from polylambda.server.broker import Broker
from polylambda.server.environment import RuntimeApi
from polylambda.server.function import FunctionConfiguration
from polylambda.server.invocation import Invocation, Outcome
from polylambda.settings import Settings
from polylambda.testing.client import Result, recording

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence
    from types import TracebackType
    from typing import TypeVar

    from polylambda.handlers import Middleware
    from polylambda.lifespan import LifespanLike

    T = TypeVar("T")


class RuntimeClient:
    """A runtime for `handler` in a thread, and the platform's side of it.

    Slower than `HandlerClient`, and closer to Lambda: events and answers go over a socket, deadlines are kept, limits hold.
    Use it as a context manager. A process runs one runtime at a time.

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
        environ: dict[str, str] | None = None,
    ) -> None:
        """Describe the runtime; entering starts it.

        Args:
            handler: as for `LambdaRuntime`.
            lifespan: as for `LambdaRuntime`.
            middleware: as for `LambdaRuntime`.
            timeout: seconds that an invocation may take.
            environ: more environment variables that the runtime is to see, such as `AWS_LAMBDA_LOG_FORMAT`.
        """
        self._handler = handler
        self._lifespan = lifespan
        self._middleware = middleware
        self._timeout = timeout
        self._environ = environ or {}
        self._function = FunctionConfiguration(name="test-function")
        self._loop = asyncio.new_event_loop()
        self._platform = threading.Thread(target=self._loop.run_forever, name="runtime-api", daemon=True)
        self._api: RuntimeApi | None = None
        self._runtime: LambdaRuntime | None = None
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None

    def __enter__(self) -> Self:
        self._platform.start()
        self._api = RuntimeApi(Broker(), function=self._function)
        self._call(self._api.start())
        variables = self._function.environment_variables(self._api.address)
        settings = Settings({**variables, **self._environ})
        self._runtime = LambdaRuntime(
            self._handler, lifespan=self._lifespan, middleware=self._middleware, settings=settings
        )
        self._thread = threading.Thread(target=self._serve, args=(self._runtime,), name="runtime")
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._api is not None
        assert self._runtime is not None
        assert self._thread is not None
        self._runtime.stop()
        self._thread.join()
        self._call(self._api.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._platform.join()
        self._loop.close()
        if self._failure is not None and error is None:
            raise PolylambdaError("the runtime ended by itself") from self._failure

    def invoke(
        self,
        event: object = None,
        *,
        content_type: str = names.JSON,
        tenant_id: str = "",
        client_context: dict[str, Any] | None = None,
    ) -> Result:
        """Send one event and wait for what becomes of it; may be called from several threads.

        Args:
            event: bytes are the payload as it is, everything else is written as JSON.
            content_type: media type of the event.
            tenant_id: tenant of a function with tenant isolation.
            client_context: what a mobile application says of itself.
        """
        invocation = Invocation(
            payload=event if isinstance(event, bytes) else json.dumps(event).encode(),
            content_type=content_type,
            timeout=self._timeout,
            invoked_function_arn=self._function.arn,
            tenant_id=tenant_id,
            client_context=json.dumps(client_context) if client_context is not None else "",
        )
        result = Result()
        with recording(result, invocation.request_id):
            self._call(self._invoke(invocation, result))
        return result

    async def _invoke(self, invocation: Invocation, result: Result) -> None:
        assert self._api is not None
        response = await self._api.broker.invoke(invocation)
        chunks = [chunk async for chunk in response]
        result.streamed = response.streamed
        result.content_type = response.content_type
        result.answered = response.outcome is Outcome.SUCCESS
        result.chunks = chunks
        if not result.answered:
            body = response.error_body or b"".join(chunks)
            result.error = json.loads(body) if body else {"errorType": response.error_type}

    def _call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def _serve(self, runtime: LambdaRuntime) -> None:
        assert self._api is not None
        try:
            runtime.run()
        except BaseException as error:  # it is raised where the test is
            self._failure = error
            # So that an invocation that waits does not wait for its timeout.
            self._loop.call_soon_threadsafe(self._api.runtime_exited, repr(error))
