"""What becomes of the agent's replies: an answer to an invocation, a stream of events, or yes and no."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from polylambda.plane.agent.protocol import CAUSE_HEADER, AnswerHead, AnswerReader, decode_event
from polylambda.plane.agent_client.errors import AgentError, AgentLost, Refused
from polylambda.plane.router import Cause
from polylambda.server import faults
from polylambda.server.invocation import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from polylambda.errors import PolylambdaError
    from polylambda.plane.agent.protocol import AnswerEnd, Event
    from polylambda.plane.agent_client.connection import Connection
    from polylambda.plane.agent_client.response import AgentResponse

OK = 200

_CAUSES = {cause.value.encode(): cause for cause in Cause}


class InvocationExchange:
    """An invocation that was sent, and its answer.

    Attributes:
        failure: why there is no answer; None: there is one, or will be.
    """

    __slots__ = ("_body", "_cause", "_head", "_reader", "_response", "_status", "failure")

    def __init__(self, response: AgentResponse) -> None:
        """Fill `response`."""
        self.failure: PolylambdaError | None = None
        self._response = response
        self._reader = AnswerReader()
        self._status = 0
        self._cause: Cause | None = None
        self._head: AnswerHead | None = None
        self._body: list[bytes] = []  # of a buffered answer until it is whole, or of a refusal

    def head(self, status: int, headers: dict[str, bytes]) -> None:
        """Take the head of the reply."""
        self._status = status
        if status != OK:
            self._cause = _CAUSES.get(headers.get(CAUSE_HEADER, b""))

    def data(self, data: bytes, connection: Connection) -> None:
        """Take a piece of the reply."""
        if self._status != OK:
            self._body.append(data)
            return
        response = self._response
        for part in self._reader.feed(data):
            if isinstance(part, bytes):
                if self._head is not None and self._head.streamed:
                    response.feed(part)
                else:
                    self._body.append(part)
            elif isinstance(part, AnswerHead):
                self._head = part
                if part.streamed:
                    response.begin(part.content_type, streamed=True)
            else:
                self._finish(part)
        if self._head is not None and response.outcome is Outcome.PENDING and response.wait_for_drain(connection.go_on):
            connection.hold_back()

    def end(self) -> None:
        """Take the end of the reply."""
        if self._status == OK:
            if self._response.outcome is Outcome.PENDING:
                self.lost("the agent's answer has no end")
            return
        message = _message(b"".join(self._body))
        self._fail(Refused(self._cause, message) if self._cause is not None else AgentError(self._status, message))

    def lost(self, reason: str) -> None:
        """Take it that the agent is gone."""
        response = self._response
        if response.outcome is not Outcome.PENDING:
            return
        if response.has_head:
            payload = faults.environment_payload(response.request_id, faults.SANDBOX_FAILURE, reason)
            response.end(Outcome.FAILURE, faults.SANDBOX_FAILURE, payload)
        else:
            self._fail(AgentLost(f"the agent was lost while it had the invocation: {reason}", delivered=True))

    def _finish(self, end: AnswerEnd) -> None:
        response, head = self._response, self._head
        if not response.has_head and head is not None:
            response.begin(head.content_type, streamed=head.streamed)
            for piece in self._body:
                response.feed(piece)
        response.log_tail = end.log_tail
        response.end(Outcome(end.outcome), end.error_type, end.error_body)

    def _fail(self, failure: PolylambdaError) -> None:
        self.failure = failure
        if self._response.abandoned:  # whoever asked was cancelled, and only wants to know when it is over
            self._response.end(Outcome.FAILURE, faults.SANDBOX_FAILURE)
            return
        self._response.begin("", streamed=False)


class SmallExchange:
    """A request whose reply is a status and perhaps a sentence."""

    def __init__(self) -> None:
        self.reply: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.message = ""
        self._status = 0
        self._body: list[bytes] = []

    def head(self, status: int, headers: dict[str, bytes]) -> None:
        """Take the head of the reply."""
        self._status = status

    def data(self, data: bytes, connection: Connection) -> None:
        """Take a piece of the body."""
        self._body.append(data)

    def end(self) -> None:
        """Take the end of the reply."""
        self.message = _message(b"".join(self._body))
        if not self.reply.done():
            self.reply.set_result(self._status)

    def lost(self, reason: str) -> None:
        """Take it that the agent is gone."""
        if not self.reply.done():
            self.reply.set_exception(AgentLost(f"the agent was lost: {reason}", delivered=True))


class EventsExchange:
    """The agent's events, for as long as it lives."""

    def __init__(self, on_event: Callable[[Event], None], on_lost: Callable[[str], None]) -> None:
        """Call `on_event` with each event, and `on_lost` when there will be no more."""
        self.begun: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.heard_at = 0.0
        self._on_event = on_event
        self._on_lost = on_lost
        self._loop = asyncio.get_running_loop()
        self._line = b""
        self._status = 0

    def head(self, status: int, headers: dict[str, bytes]) -> None:
        """Take the head of the reply."""
        self._status = status
        self.heard_at = self._loop.time()
        if status == OK and not self.begun.done():
            self.begun.set_result(None)

    def data(self, data: bytes, connection: Connection) -> None:
        """Take a piece of the stream."""
        if self._status != OK:
            return
        self.heard_at = self._loop.time()
        *lines, self._line = (self._line + data).split(b"\n")
        for line in lines:
            self._on_event(decode_event(line))

    def end(self) -> None:
        """Take the end of the stream."""
        self.lost("it ended its stream of events" if self._status == OK else f"it refused its events: {self._status}")

    def lost(self, reason: str) -> None:
        """Take it that the agent is gone."""
        if self.begun.done():
            self._on_lost(reason)
        else:
            self.begun.set_exception(AgentLost(f"the agent does not tell its events: {reason}", delivered=False))


def _message(body: bytes) -> str:
    """What the agent says is wrong."""
    try:
        return msgspec.json.decode(body, type=dict[str, str]).get("message", "")
    except msgspec.DecodeError:
        return body[:200].decode("utf-8", "replace")
