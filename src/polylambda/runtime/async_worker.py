"""The loop of an `async def` handler: next, handle, respond, on the running event loop and one connection."""

from __future__ import annotations

import asyncio
import logging
import sys
from contextvars import copy_context

from polylambda import logs
from polylambda.context import CURRENT, LambdaContext
from polylambda.errors import RuntimeApiError
from polylambda.rapi.aio import AsyncClient, AsyncSink
from polylambda.response import ResponseStream
from polylambda.runtime import verdict as verdicts
from polylambda.tracing import set_trace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Coroutine
    from contextvars import Context
    from typing import Any

    from polylambda.handlers import Handler
    from polylambda.rapi.address import Address
    from polylambda.rapi.events import Invocation
    from polylambda.rapi.keeper import Keeper
    from polylambda.rapi.spares import Spares
    from polylambda.runtime.background import Background
    from polylambda.settings import Settings

_log = logging.getLogger("polylambda")


class AsyncWorker:
    """Serves the invocations of one slot, one after the other.

    Attributes:
        context: of the invocation that holds the slot.
    """

    def __init__(
        self,
        address: Address,
        handler: Handler,
        settings: Settings,
        *,
        state: Any,
        slot: int = 0,
        keeper: Keeper | None = None,
        spares: Spares | None = None,
        background: Background | None = None,
    ) -> None:
        """Make a slot on the running loop; `run` puts it to work.

        Args:
            address: the Runtime API's.
            handler: the function's.
            settings: the environment's.
            state: what the lifespan yielded.
            slot: number of the slot.
            keeper: hears of every step of the slot's connection.
            spares: connections on which polls go out before the answers of long invocations; None: they do not.
            background: where handlers go on that have answered; None: they keep the slot until they end.
        """
        self.context: LambdaContext | None = None
        self._client = AsyncClient(
            address, self._received, pipelining=settings.pipelining, keeper=keeper, spares=spares
        )
        self._background = background
        self._may_detach = None if background is None else self._detach
        self._overdue = False  # the invocation was cancelled because of its deadline
        self._handler = handler
        self._settings = settings
        self._state = state
        self._slot = slot
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[None] | None = None
        self._fatal: BaseException | None = None

    async def run(self) -> None:
        """Serve until `stop`.

        Raises:
            RuntimeApiError: the Runtime API cannot be reached any more.
            SystemExit, KeyboardInterrupt: the handler raised it; its invocation was answered with an error. Or `abort`
                was called.
        """
        try:
            await self._client.run()
        finally:
            task = self._task
            if task is not None and not task.done() and self.context is not None:
                task.cancel()
                await asyncio.wait([task])
        if self._fatal is not None:
            raise self._fatal

    def stop(self) -> None:
        """End `run` once the invocation under way is answered."""
        self._client.stop()

    def abort(self, reason: SystemExit) -> None:
        """End `run` with `reason` at once: the invocation under way is cancelled and answered with that error."""
        self._fatal = reason
        self._client.stop()
        if self._task is not None:
            self._task.cancel("the environment is about to end")

    def cancel(self, reason: str, *, overdue: bool = False) -> None:
        """Cancel the invocation under way, if there is one; it is answered with an error, and the next one comes."""
        if self._task is not None and self.context is not None:
            self._overdue = overdue
            self._task.cancel(reason)

    def _detach(self) -> bool:
        """Say whether the handler that has just answered may go on without the slot; if so, it does."""
        task = self._task  # the handler's, which need not be the one that answers
        if self._background is None or task is None or not self._background.take(task):
            return False
        self.context = None
        return True

    def _received(self, invocation: Invocation) -> None:
        task = _start(self._serve(invocation), self._loop, copy_context())
        self._task = None if task.done() else task  # what is over should not keep its memory

    async def _serve(self, invocation: Invocation) -> None:
        """Handle one invocation and answer it, whatever happens."""
        client = self._client
        task = self._task = asyncio.current_task()
        assert task is not None
        sink = AsyncSink(client, invocation, self._may_detach)
        response = ResponseStream(sink)
        context: LambdaContext | None = None
        failure: BaseException | None = None
        set_trace(invocation.trace_id)
        try:
            context = self.context = LambdaContext(invocation, self._settings, state=self._state, slot=self._slot)
            CURRENT.set(context)
            handling = self._handler.call(invocation.payload, response, context)
            assert handling is not None  # it was compiled to be awaited
            await handling
        except BaseException as error:  # whatever the handler raises, its caller is told
            failure = error
            if self._overdue and not sink.detached:
                self._overdue = False
                if isinstance(error, asyncio.CancelledError):
                    failure = TimeoutError("the handler was cancelled because its deadline has passed")
        if context is not None:
            # Before the answer: behind it the platform may freeze the environment.
            logs.end_invocation(context)
            context.close()
        try:
            if failure is None and (body := response.body) is not None:
                # What nearly always happens, without the detour.
                client.answer(invocation, body, response.content_type)
                return
            if isinstance(failure, (SystemExit, KeyboardInterrupt)):
                self._fatal = failure
                client.stop()
            await self._conclude(invocation, response, sink, failure)
        finally:
            response.expire()
            if sink.detached:
                assert self._background is not None
                self._background.give_back(task)
            elif self.context is context:
                self.context = None
            if self._task is task:
                self._task = None
            failure = None  # its traceback leads back here: no waiting for the garbage collector

    async def _conclude(
        self, invocation: Invocation, response: ResponseStream, sink: AsyncSink, failure: BaseException | None
    ) -> None:
        """Answer what did not end with a result, and give the slot back; see `verdict`."""
        what = verdicts.verdict(response, failure)
        if what is verdicts.ERROR:
            report = verdicts.tell(failure or verdicts.unanswered(self._handler.name), invocation.request_id)
            self._client.error(invocation, report)
            return
        try:
            if what is verdicts.FINISH:
                response.finish()
            elif what is verdicts.ABORT:
                assert failure is not None
                response.abort(verdicts.tell(failure, invocation.request_id))
            elif what is verdicts.LATE:
                _log.error("the handler failed after its answer", exc_info=failure)
            elif what is verdicts.LOST:
                _log.warning("the stream could not be sent to its end: %s", failure)
            if sink.ended is not None and what is not verdicts.LOST:
                await sink.ended
        except RuntimeApiError as error:
            _log.warning("the stream could not be sent to its end: %s", error)
        finally:
            if not sink.detached:
                self._client.resume()


if sys.version_info >= (3, 12):

    def _start(
        coroutine: Coroutine[Any, Any, None], loop: asyncio.AbstractEventLoop, context: Context
    ) -> asyncio.Task[None]:
        # A handler that does not wait for anything is over before the loop turns.
        return asyncio.Task(coroutine, loop=loop, context=context, eager_start=True)

else:

    def _start(
        coroutine: Coroutine[Any, Any, None], loop: asyncio.AbstractEventLoop, context: Context
    ) -> asyncio.Task[None]:
        return loop.create_task(coroutine, context=context)
