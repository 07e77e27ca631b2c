"""The loop of a `def` handler: next, handle, respond, on one thread and one connection."""

from __future__ import annotations

import logging

from polylambda import logs
from polylambda.context import CURRENT, LambdaContext
from polylambda.errors import RuntimeApiError
from polylambda.rapi.blocking import BlockingClient, BlockingSink
from polylambda.response import ResponseStream
from polylambda.tracing import set_trace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from polylambda.handlers import Handler
    from polylambda.rapi.events import Invocation
    from polylambda.settings import Settings

_log = logging.getLogger("polylambda")


class Worker:
    """Serves the invocations of one slot, one after the other.

    Attributes:
        context: of the invocation that is being handled.
    """

    def __init__(
        self, client: BlockingClient, handler: Handler, settings: Settings, *, state: Any, slot: int = 0
    ) -> None:
        """Make a slot of the calling thread's; `run` puts it to work."""
        self.context: LambdaContext | None = None
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
        """Handle one invocation and answer it, whatever happens.

        Raises:
            SystemExit, KeyboardInterrupt: the handler raised it; its invocation was answered with an error.
        """
        client = self._client
        response = ResponseStream(BlockingSink(client, invocation))
        context: LambdaContext | None = None
        failure: BaseException | None = None
        set_trace(invocation.trace_id)
        try:
            context = self.context = LambdaContext(invocation, self._settings, state=self._state, slot=self._slot)
            CURRENT.set(context)
            self._handler.call(invocation.payload, response, context)
        except BaseException as error:  # whatever the handler raises, its caller is told
            failure = error
        if context is not None:
            # Before the answer: behind it the platform may freeze the environment.
            logs.end_invocation(context)
            context.close()
        try:
            if failure is None and (body := response.body) is not None:
                # What nearly always happens, without the detour.
                client.answer(invocation, body, response.content_type, poll=True)
                return
            if not isinstance(failure, (SystemExit, KeyboardInterrupt)):
                self._conclude(invocation, response, failure)
                return
            client.stop()
            self._conclude(invocation, response, failure)
            client.settle()
            raise failure
        finally:
            response.expire()
            CURRENT.set(None)
            self.context = None
            failure = None  # its traceback leads back here: no waiting for the garbage collector

    def _conclude(self, invocation: Invocation, response: ResponseStream, failure: BaseException | None) -> None:
        """Answer what did not end with a result; see `verdict`."""
        from polylambda.runtime import verdict as verdicts  # most functions start and run without

        what = verdicts.verdict(response, failure)
        try:
            if what is verdicts.FINISH:
                response.finish()
            elif what is verdicts.ERROR:
                report = verdicts.tell(failure or verdicts.unanswered(self._handler.name), invocation.request_id)
                self._client.error(invocation, report, poll=True)
            elif what is verdicts.ABORT:
                assert failure is not None
                response.abort(verdicts.tell(failure, invocation.request_id))
            elif what is verdicts.LATE:
                _log.error("the handler failed after its answer", exc_info=failure)
            elif what is verdicts.LOST:
                _log.warning("the stream could not be sent to its end: %s", failure)
        except RuntimeApiError as error:
            _log.warning("the stream could not be sent to its end: %s", error)
