"""The loop of a `def` handler: next, handle, respond, on one thread and one connection."""

from __future__ import annotations

import logging

from polylambda import logs
from polylambda.context import CURRENT, LambdaContext
from polylambda.errors import RuntimeApiError
from polylambda.rapi.blocking import BlockingClient, BlockingSink
from polylambda.response import FINISHED, ResponseStream
from polylambda.runtime import verdict as verdicts
from polylambda.tracing import set_trace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from polylambda.handlers import Handler
    from polylambda.rapi.wire import Invocation
    from polylambda.settings import Settings

_log = logging.getLogger("polylambda")


class Worker:
    """Serves the invocations of one slot, one after the other."""

    def __init__(
        self, client: BlockingClient, handler: Handler, settings: Settings, *, state: Any, slot: int = 0
    ) -> None:
        self._client = client
        self._handler = handler
        self._settings = settings
        self._state = state
        self._slot = slot

    def run(self) -> None:
        """Serve until the client is stopped.

        Raises:
            RuntimeApiError: the Runtime API cannot be reached any more.
        """
        client = self._client
        try:
            while (invocation := client.next()) is not None:
                self.serve(invocation)
            client.settle()
        finally:
            client.close()

    def serve(self, invocation: Invocation) -> None:
        """Handle one invocation and answer it, whatever happens; only what ends the process is raised."""
        response = ResponseStream(BlockingSink(self._client, invocation))
        context: LambdaContext | None = None
        failure: BaseException | None = None
        set_trace(invocation.trace_id)
        try:
            context = LambdaContext(invocation, self._settings, state=self._state, slot=self._slot)
            CURRENT.set(context)
            context.check()
            self._handler.call(invocation.payload, response, context)
        except BaseException as error:
            failure = error
        if failure is None and (body := response.body) is not None and response.state == FINISHED:
            # What nearly always happens, without the detour.
            self._client.answer(invocation, body, response.content_type, poll=True)
        else:
            self._conclude(invocation, response, failure)
        response.expire()
        if context is not None:
            logs.end_invocation(context)
            context.close()
        CURRENT.set(None)
        if failure is not None and not isinstance(failure, Exception):
            self._client.settle()
            raise failure

    def _conclude(self, invocation: Invocation, response: ResponseStream, failure: BaseException | None) -> None:
        what = verdicts.verdict(response, failure)
        try:
            if what is verdicts.FINISH:
                response.finish()
            elif what is verdicts.ERROR:
                failure = failure or verdicts.unanswered(self._handler.name)
                report = verdicts.tell(failure, invocation.request_id)
                self._client.error(invocation, report, poll=isinstance(failure, Exception))
            elif what is verdicts.ABORT:
                assert failure is not None
                response.abort(verdicts.tell(failure, invocation.request_id))
            elif what is verdicts.LATE:
                _log.error("the handler failed after its answer", exc_info=failure)
            elif what is verdicts.LOST:
                _log.warning("the stream could not be sent to its end: %s", failure)
        except RuntimeApiError as error:
            _log.warning("the stream could not be sent to its end: %s", error)
