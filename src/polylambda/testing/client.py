"""Call one handler in a test: its shape, its typed events, its middleware and lifespan are those of the runtime."""

from __future__ import annotations

import asyncio
import json
import logging
import time
import uuid
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from polylambda import loop
from polylambda.context import CURRENT, LambdaContext
from polylambda.errors import PolylambdaError
from polylambda.handlers import compile_handler
from polylambda.lifespan import Lifespan
from polylambda.logs import InvocationFilter
from polylambda.rapi import headers as names
from polylambda.rapi.wire import Invocation
from polylambda.report import report
from polylambda.response import DONE, ResponseStream
from polylambda.runtime import verdict as verdicts
from polylambda.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Generator, Sequence
    from types import TracebackType

    from polylambda.handlers import Middleware
    from polylambda.lifespan import LifespanLike
    from polylambda.report import ErrorReport

_FUNCTION_ARN = "arn:aws:lambda:us-east-1:123456789012:function:test-function"
_ENVIRON = {
    "AWS_LAMBDA_FUNCTION_NAME": "test-function",
    "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
    "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/test-function",
    "AWS_LAMBDA_LOG_STREAM_NAME": "2026/01/01/[$LATEST]0123456789abcdef0123456789abcdef",
    "AWS_REGION": "us-east-1",
}


@dataclass(slots=True)
class Result:
    """What became of one invocation.

    Attributes:
        chunks: the pieces of a streamed response as the handler wrote them; one piece for a buffered response.
        content_type: media type that the platform was told.
        streamed: the response was streamed.
        answered: the response is complete and no error.
        exception: what the handler raised, also after its first byte or its answer; None when it raised nothing, and from
            a `RuntimeClient`, which sees what the platform sees.
        error: AWS's error payload (`errorType`, `errorMessage`, ...) if the invocation failed, else None.
        records: the log records of the invocation.
    """

    chunks: list[bytes] = field(default_factory=list[bytes])
    content_type: str = ""
    streamed: bool = False
    answered: bool = False
    exception: BaseException | None = None
    error: dict[str, Any] | None = None
    records: list[logging.LogRecord] = field(default_factory=list[logging.LogRecord])

    @property
    def body(self) -> bytes:
        """The whole response; without its head when it is an HTTP response."""
        whole = b"".join(self.chunks)
        return whole.partition(names.PRELUDE_END)[2] if self._has_prelude else whole

    @property
    def text(self) -> str:
        """The whole response as text."""
        return self.body.decode()

    @property
    def value(self) -> Any:
        """The response read as JSON; raises what the handler raised, if the invocation failed."""
        if not self.answered:
            raise self.exception or PolylambdaError(f"the invocation failed: {self.error}")
        return json.loads(self.body)

    @property
    def status(self) -> int | None:
        """Status of an HTTP response: of `start_http`, or `statusCode` of a result; None when there is none."""
        head = self._head
        return head.get("statusCode", 200 if self._has_prelude else None)

    @property
    def headers(self) -> dict[str, str]:
        """Headers of an HTTP response."""
        return self._head.get("headers") or {}

    @property
    def cookies(self) -> list[str]:
        """Cookies of an HTTP response."""
        return self._head.get("cookies") or []

    @property
    def logs(self) -> list[str]:
        """The messages of the log records."""
        return [record.getMessage() for record in self.records]

    @property
    def _has_prelude(self) -> bool:
        return self.content_type == names.HTTP_INTEGRATION

    @property
    def _head(self) -> dict[str, Any]:
        if self._has_prelude:
            return json.loads(b"".join(self.chunks).partition(names.PRELUDE_END)[0])
        if self.content_type == names.JSON and not self.streamed:
            value = json.loads(self.body)
            if isinstance(value, dict) and "statusCode" in value:
                return value  # pyright: ignore[reportUnknownVariableType] # JSON objects have text for keys
        return {}


class HandlerClient:
    """Call a handler in a test.

    Enter it to enter the lifespan; without one it may be used as it is.

    Example:
        >>> def greet(event, context):
        ...     return {"hello": event["name"]}
        >>> HandlerClient(greet).invoke({"name": "Ada"}).value
        {'hello': 'Ada'}
    """

    def __init__(
        self, handler: object, *, lifespan: LifespanLike | None = None, middleware: Sequence[Middleware] = ()
    ) -> None:
        """Compile `handler` as the runtime does.

        Raises:
            ConfigurationError: it is no handler, or an annotation cannot be decoded.
        """
        self._handler = compile_handler(handler, middleware)
        self._lifespan = Lifespan(lifespan)
        self._state: Any = None

    def __enter__(self) -> Self:
        self._state = self._lifespan.enter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._lifespan.leave()
        finally:
            loop.close()

    async def __aenter__(self) -> Self:
        self._state = await self._lifespan.enter_async()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._lifespan.leave_async()

    def invoke(self, event: object = None, *, context: LambdaContext | None = None) -> Result:
        """Call the handler with `event` and return what became of it, background work included.

        Args:
            event: bytes are the payload as it is, everything else is written as JSON.
            context: one made by `make_context`; by default a fresh one.
        """
        if self._handler.is_async:
            return loop.run_until_complete(self.invoke_async(event, context=context))
        payload, context = self._prepare(event, context)
        sink = _MemorySink()
        response = ResponseStream(sink)
        with recording(sink.result, context.aws_request_id), _current(context):
            try:
                self._handler.call(payload, response, context)
            except Exception as error:  # whatever it is, it is the result
                sink.result.exception = error
            return _concluded(response, sink, self._handler.name, context)

    async def invoke_async(self, event: object = None, *, context: LambdaContext | None = None) -> Result:
        """Call an `async def` handler from a test that runs on an event loop; see `invoke`."""
        if not self._handler.is_async:
            raise PolylambdaError(f"handler {self._handler.name} is not async: call invoke(), outside an event loop")
        payload, context = self._prepare(event, context)
        sink = _MemorySink()
        response = ResponseStream(sink)

        async def handle() -> Result:
            with recording(sink.result, context.aws_request_id), _current(context):
                try:
                    handling = self._handler.call(payload, response, context)
                    assert handling is not None
                    await handling
                except Exception as error:  # as above
                    sink.result.exception = error
                return _concluded(response, sink, self._handler.name, context)

        return await asyncio.get_running_loop().create_task(handle(), context=copy_context())

    def _prepare(self, event: object, context: LambdaContext | None) -> tuple[bytes, LambdaContext]:
        context = context or make_context()
        if context.state is None:
            context.state = self._state
        payload = event if isinstance(event, bytes) else json.dumps(event).encode()
        return payload, context


def make_context(
    *,
    timeout: float = 30.0,
    request_id: str | None = None,
    content_type: str = names.JSON,
    function_arn: str = _FUNCTION_ARN,
    trace_id: str = "",
    tenant_id: str = "",
    client_context: dict[str, Any] | None = None,
    cognito_identity: dict[str, str] | None = None,
    state: object = None,
    environ: dict[str, str] | None = None,
) -> LambdaContext:
    """Make a context as the runtime would.

    Args:
        timeout: seconds until the deadline.
        request_id: by default a fresh UUID.
        content_type: media type of the event.
        function_arn: `invoked_function_arn`.
        trace_id: X-Ray trace header.
        tenant_id: tenant of a function with tenant isolation.
        client_context: what a mobile application says of itself: `{"client": {...}, "custom": {...}, "env": {...}}`.
        cognito_identity: `{"cognitoIdentityId": ..., "cognitoIdentityPoolId": ...}`.
        state: what a lifespan yielded.
        environ: environment variables of Lambda's, such as `AWS_LAMBDA_FUNCTION_NAME`.
    """
    headers = {
        names.REQUEST_ID: request_id or str(uuid.uuid4()),
        names.DEADLINE_MS: str(int((time.time() + timeout) * 1000)),
        names.FUNCTION_ARN: function_arn,
        names.TRACE_ID: trace_id,
        names.TENANT_ID: tenant_id,
        "content-type": content_type,
    }
    if client_context is not None:
        headers[names.CLIENT_CONTEXT] = json.dumps(client_context)
    if cognito_identity is not None:
        headers[names.COGNITO_IDENTITY] = json.dumps(cognito_identity)
    return LambdaContext(Invocation(b"", headers), Settings({**_ENVIRON, **(environ or {})}), state=state)


class _MemorySink:
    """A response's way to a test."""

    def __init__(self) -> None:
        self.result = Result()

    def answer(self, body: bytes, content_type: str) -> Awaitable[None]:
        self.result.chunks.append(body)
        self.result.content_type = content_type
        self.result.answered = True
        return DONE

    def start(self, content_type: str) -> None:
        self.result.content_type = content_type
        self.result.streamed = True

    def send(self, data: bytes) -> Awaitable[None]:
        self.result.chunks.append(data)
        return DONE

    def end(self, report: ErrorReport | None) -> Awaitable[None]:
        self.result.answered = report is None
        return DONE


def _concluded(response: ResponseStream, sink: _MemorySink, name: str, context: LambdaContext) -> Result:
    """Do what a worker does at the end of an invocation, and keep it."""
    result = sink.result
    what = verdicts.verdict(response, result.exception)
    if what is verdicts.ANSWER:
        sink.answer(response.body or b"", response.content_type)
    elif what is verdicts.FINISH:
        response.finish()
    elif what in (verdicts.ERROR, verdicts.ABORT):
        result.exception = result.exception or verdicts.unanswered(name)
        result.error = report(result.exception, context.aws_request_id).fields()
    response.expire()
    context.close()
    return result


@contextmanager
def _current(context: LambdaContext) -> Generator[None]:
    token = CURRENT.set(context)
    try:
        yield
    finally:
        CURRENT.reset(token)


@contextmanager
def recording(result: Result, request_id: str) -> Generator[None]:
    """Keep the log records of one invocation in `result`."""

    class Recorder(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if getattr(record, "aws_request_id", "") == request_id:
                result.records.append(record)

    recorder = Recorder()
    recorder.addFilter(InvocationFilter())
    root = logging.getLogger()
    root.addHandler(recorder)
    try:
        yield
    finally:
        root.removeHandler(recorder)
