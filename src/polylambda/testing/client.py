"""Call one handler in a test: its shape, its typed events, its middleware and lifespan are those of the runtime."""

from __future__ import annotations

import asyncio
import threading
from contextlib import ExitStack, contextmanager
from contextvars import copy_context
from typing import TYPE_CHECKING, Self

from polylambda import codec, loop
from polylambda.context import CURRENT, LambdaContext
from polylambda.errors import MarshalError, PolylambdaError
from polylambda.handlers import Handler, compile_handler
from polylambda.lifespan import Lifespan
from polylambda.report import report
from polylambda.response import DONE, ResponseStream
from polylambda.runtime import verdict as verdicts
from polylambda.runtime.runtime import LambdaRuntime
from polylambda.testing.context import make_context
from polylambda.testing.recording import recording
from polylambda.testing.result import Result, split

if TYPE_CHECKING:
    from collections.abc import Awaitable, Generator, Sequence

    from polylambda.handlers import Middleware
    from polylambda.lifespan import LifespanLike
    from polylambda.report import ErrorReport


class HandlerClient:
    """Call a handler in a test.

    With a lifespan, use it as a context manager (`async with` on a running event loop); without one it needs none.
    Deadlines and size limits are not enforced: for those there is `RuntimeClient`.

    Example:
        >>> def greet(event, context):
        ...     return {"hello": event["name"]}
        >>> HandlerClient(greet).invoke({"name": "Ada"}).value
        {'hello': 'Ada'}
    """

    def __init__(
        self, handler: object, *, lifespan: LifespanLike | None = None, middleware: Sequence[Middleware] = ()
    ) -> None:
        """Compile a handler as its runtime does.

        Args:
            handler: as for `LambdaRuntime`; or a `LambdaRuntime`, which brings its own lifespan and middleware.
            lifespan: as for `LambdaRuntime`.
            middleware: as for `LambdaRuntime`.

        Raises:
            ConfigurationError: it is no handler, or an annotation cannot be decoded.
        """
        runtime = as_runtime(handler, lifespan, middleware)
        self._handler = compile_handler(runtime.handler, runtime.middleware)
        self._lifespan = Lifespan(runtime.lifespan, self._handler.lifespan)
        self._entered = False
        self._state: object = None
        self._owned = ExitStack()

    def __enter__(self) -> Self:
        """Enter the lifespan."""
        _refuse_running_loop("async with")
        with ExitStack() as stack:
            stack.enter_context(_shared_loop())
            self._state = self._lifespan.enter()
            stack.callback(self._lifespan.leave)
            self._owned = stack.pop_all()
        self._entered = True
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Leave the lifespan."""
        self._entered = False
        self._owned.close()

    async def __aenter__(self) -> Self:
        """Enter the lifespan on the running event loop."""
        self._state = await self._lifespan.enter_async()
        self._entered = True
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Leave the lifespan."""
        self._entered = False
        await self._lifespan.leave_async()

    def invoke(self, event: object = b"{}", *, context: LambdaContext | None = None) -> Result:
        """Call the handler and return what became of it, when it has done all that it does.

        Args:
            event: bytes are the payload as it is; anything else is written as JSON, as a typed result would be.
            context: made by `make_context`; by default a fresh one.

        Raises:
            PolylambdaError: an event loop is running here, the client has a lifespan and was not entered, or the event
                cannot be written as JSON.
            SystemExit, KeyboardInterrupt: the handler raised it, and a runtime would have ended. Everything else that it
                raises is in the result.
        """
        _refuse_running_loop("await invoke_async()")
        call = self._call(event, context)
        with _shared_loop():
            if self._handler.is_async:
                return loop.run_until_complete(call.run_async())
            return copy_context().run(call.run)

    async def invoke_async(self, event: object = b"{}", *, context: LambdaContext | None = None) -> Result:
        """Call the handler from a test on an event loop; otherwise as `invoke`.

        A `def` handler is called in a thread, where no event loop runs, as none does in its runtime.
        """
        if not self._handler.is_async:
            return await asyncio.to_thread(self.invoke, event, context=context)
        # A task of its own, as in the runtime: what it does to context variables is not seen here.
        return await asyncio.create_task(self._call(event, context).run_async())

    def _call(self, event: object, context: LambdaContext | None) -> _Call:
        if self._lifespan.given and not self._entered:
            raise PolylambdaError("the handler has a lifespan that was not entered: use the client in a with statement")
        context = context or make_context()
        if context.state is None:
            context.state = self._state
        return _Call(self._handler, payload_of(event), context)


def as_runtime(handler: object, lifespan: LifespanLike | None, middleware: Sequence[Middleware]) -> LambdaRuntime:
    """Return the runtime that `handler` is, or one of a handler and what goes with it.

    Raises:
        PolylambdaError: a runtime was given together with what it brings itself.
    """
    if not isinstance(handler, LambdaRuntime):
        return LambdaRuntime(handler, lifespan=lifespan, middleware=middleware)
    if lifespan is not None or middleware:
        raise PolylambdaError(
            "a LambdaRuntime brings its own lifespan and middleware: leave lifespan= and middleware= out"
        )
    return handler


def payload_of(event: object) -> bytes:
    """Return `event` as the bytes of an invocation.

    Raises:
        PolylambdaError: it cannot be written as JSON.
    """
    if isinstance(event, bytes):
        return event
    try:
        return codec.encoder()(event)[0]
    except MarshalError as error:
        raise PolylambdaError(f"the event cannot be written as JSON: {error.__cause__ or error}") from error


class _Call:
    """One invocation, handled and concluded as a worker does it, in memory."""

    def __init__(self, handler: Handler, payload: bytes, context: LambdaContext) -> None:
        self._handler = handler
        self._payload = payload
        self._context = context
        self._sink = _MemorySink()
        self._response = ResponseStream(self._sink)

    def run(self) -> Result:
        with self._invocation() as result:
            self._handler.call(self._payload, self._response, self._context)
        return result

    async def run_async(self) -> Result:
        with self._invocation() as result:
            handling = self._handler.call(self._payload, self._response, self._context)
            assert handling is not None
            await handling
        return result

    @contextmanager
    def _invocation(self) -> Generator[Result]:
        """Give the result to be, and fill it in when the body has ended, whatever the handler raised there."""
        context = self._context
        result = Result()
        failure: BaseException | None = None
        CURRENT.set(context)
        with recording() as recorder:
            result.records = recorder.of(context.aws_request_id)
            try:
                yield result
            except BaseException as error:
                failure = error
            self._conclude(result, failure)
        if failure is not None and _is_more_than_a_failure(failure):
            raise failure

    def _conclude(self, result: Result, failure: BaseException | None) -> None:
        response, sink = self._response, self._sink
        what = verdicts.verdict(response, failure)
        if what is verdicts.ANSWER:
            sink.answer(response.body or b"", response.content_type)
        elif what is verdicts.FINISH:
            response.finish()
        elif what in (verdicts.ERROR, verdicts.ABORT):
            failure = failure or verdicts.unanswered(self._handler.name)
            result.error = report(failure, self._context.aws_request_id).fields()
        response.expire()
        self._context.close()
        result.exception = failure
        result.content_type = sink.content_type
        result.streamed = sink.streamed
        result.answered = sink.ended
        result.prelude, result.chunks = split(sink.pieces, sink.content_type)


class _MemorySink:
    """A response's way to a test."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.content_type = ""
        self.streamed = False
        self.ended = False

    def answer(self, body: bytes, content_type: str) -> Awaitable[None]:
        self.pieces.append(body)
        self.content_type = content_type
        self.ended = True
        return DONE

    def start(self, content_type: str) -> None:
        self.content_type = content_type
        self.streamed = True

    def send(self, data: bytes) -> Awaitable[None]:
        self.pieces.append(data)
        return DONE

    def end(self, report: ErrorReport | None) -> Awaitable[None]:
        self.ended = report is None
        return DONE


def _is_more_than_a_failure(raised: BaseException) -> bool:
    """Whether the process is to end, or the test was cancelled."""
    if isinstance(raised, asyncio.CancelledError):
        task = asyncio.current_task() if loop.is_running() else None
        return task is not None and task.cancelling() > 0
    return isinstance(raised, (SystemExit, KeyboardInterrupt))


def _refuse_running_loop(instead: str) -> None:
    if loop.is_running():
        raise PolylambdaError(f"an event loop is running here, and this would block it: use {instead} instead")


class _LoopUsers(threading.local):
    count = 0


_loop_users = _LoopUsers()


@contextmanager
def _shared_loop() -> Generator[None]:
    """Keep open, while the body runs, the loop that a thread's clients share; the last user closes it."""
    _loop_users.count += 1
    try:
        yield
    finally:
        _loop_users.count -= 1
        if not _loop_users.count:
            loop.close()
