"""An invocation's way through the agent: into the environment, and its answer out to the plane."""

from __future__ import annotations

import asyncio
import re
import time
from typing import TYPE_CHECKING, Any

from polylambda.plane.agent.environment import NotTaken
from polylambda.plane.agent.protocol import CAUSE_HEADER, AnswerEnd, AnswerHead, encode_part
from polylambda.rapi.headers import JSON
from polylambda.server.errors import InvalidInvocation
from polylambda.server.invocation import Outcome

if TYPE_CHECKING:
    from polylambda.plane.agent.environment import Environment
    from polylambda.plane.agent.http import Connection
    from polylambda.plane.agent.protocol import InvocationHead
    from polylambda.server.response import Response

FRAMES = "application/vnd.polylambda.answer"

# AWS's words for the report of an invocation.
_STATUS = {
    Outcome.SUCCESS: "success",
    Outcome.ERROR: "error",
    Outcome.TIMEOUT: "timeout",
    Outcome.FAILURE: "failure",
    Outcome.TRUNCATED: "failure",
}

_PARENT = re.compile(r"Parent=([0-9a-f]+)")  # in a trace header: the span that the invocation belongs to

# Nearly every answer begins and ends like this.
_JSON_HEAD = encode_part(AnswerHead(JSON, streamed=False))
_GOOD_END = encode_part(AnswerEnd(Outcome.SUCCESS.value))


class Delivery:
    """One invocation."""

    def __init__(self, environment: Environment, head: InvocationHead, payload: bytes, connection: Connection) -> None:
        """Deliver an invocation to `environment`, and its answer to `connection`."""
        self._environment = environment
        self._head = head
        self._payload = payload
        self._connection = connection
        self._began_at = time.time()
        self._began = self._answered = time.perf_counter()

    async def run(self) -> None:
        """See it through to its end, whether or not somebody still listens: the function does not stop for that."""
        connection = self._connection
        try:
            await self._environment.admit()
            response = await self._invoke()
            self._answered = time.perf_counter()
        except NotTaken as error:
            connection.refuse(error.status, str(error), headers={CAUSE_HEADER: error.cause.value})
        except InvalidInvocation as error:
            connection.refuse(400, str(error))
        else:
            await self._answer(response)

    async def _invoke(self) -> Response:
        """Run the invocation; return when the head of its answer is known. Raises NotTaken, InvalidInvocation."""
        head, log = self._head, self._environment.log
        if head.tail:
            log.begin_tail(head.request_id)
        log.platform("platform.start", self._start_record())
        self._environment.gauge.enter()
        try:
            return await self._environment.invoke(head.invocation(self._payload))
        except BaseException:
            self._leave("failure", None)
            raise

    async def _answer(self, response: Response) -> None:
        """Send the answer on."""
        connection = self._connection
        streamed = response.outcome is Outcome.PENDING
        if streamed:
            connection.begin(200, content_type=FRAMES)
            connection.write(encode_part(AnswerHead(response.content_type, streamed=True)))
            async for chunk in response:
                connection.write(encode_part(chunk))
                await connection.drain()
        if self._head.tail:
            await asyncio.sleep(0)  # the runtime wrote to its log before it answered: that is being read right now
        answered = streamed or response.outcome in (Outcome.SUCCESS, Outcome.ERROR)  # by the runtime
        tail = self._leave(_STATUS[response.outcome], response.error_type, answered=answered)
        if response.outcome is Outcome.SUCCESS and not tail:
            end = _GOOD_END
        else:
            end = encode_part(AnswerEnd(response.outcome.value, response.error_type, response.error_body, tail))
        if streamed:
            connection.write(end)
            connection.finish()
            return
        if response.content_type == JSON and not response.streamed:
            head = _JSON_HEAD
        else:
            head = encode_part(AnswerHead(response.content_type, response.streamed))
        body = await response.read()
        connection.reply(200, b"".join((head, encode_part(body), end)), content_type=FRAMES)

    def _leave(self, status: str, error_type: str | None, *, answered: bool = False) -> str:
        """Write the report of the invocation; return the end of its log, if it was asked for."""
        head, log = self._head, self._environment.log
        self._environment.gauge.leave()
        now = time.perf_counter()
        record: dict[str, Any] = {
            "requestId": head.request_id,
            "metrics": {"durationMs": _milliseconds(self._began, now)},
            "status": status,
        }
        if answered:
            record["spans"] = [
                self._span("responseLatency", self._began, self._answered),
                self._span("responseDuration", self._answered, now),
            ]
        if error_type is not None:
            record["errorType"] = error_type
        log.platform("platform.report", record)
        return log.end_tail(head.request_id) if head.tail else ""

    def _start_record(self) -> dict[str, Any]:
        head = self._head
        record: dict[str, Any] = {
            "requestId": head.request_id,
            "version": self._environment.spec.qualifier,
            "functionArn": head.invoked_function_arn,
        }
        if head.tenant_id:
            record["tenantId"] = head.tenant_id
        if head.trace_id:
            tracing = record["tracing"] = {"type": "X-Amzn-Trace-Id", "value": head.trace_id}
            if parent := _PARENT.search(head.trace_id):
                tracing["spanId"] = parent[1]
        return record

    def _span(self, name: str, began: float, ended: float) -> dict[str, Any]:
        start = self._environment.log.timestamp(self._began_at + began - self._began)
        return {"name": name, "start": start, "durationMs": _milliseconds(began, ended)}


def _milliseconds(began: float, ended: float) -> float:
    return round((ended - began) * 1000, 3)
