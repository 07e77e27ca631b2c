"""AWS's `Invoke` and `InvokeWithResponseStream`, for unmodified SDKs with an endpoint URL.

See https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html and API_InvokeWithResponseStream.html.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from polylambda.local import eventstream, metadata
from polylambda.local.answers import Answer, Head
from polylambda.local.apierror import ApiError
from polylambda.local.references import Referent, resolve
from polylambda.rapi.headers import JSON, MAX_PAYLOAD
from polylambda.server.broker import Invocation, Outcome
from polylambda.server.errors import InvocationRefused
from polylambda.server.faults import response_too_large_payload

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterable, Callable

    from polylambda.local.exchange import Exchange
    from polylambda.local.function import Function
    from polylambda.server.broker import Response

MAX_EVENT = 1024 * 1024  # bytes of an asynchronous invocation

REQUEST_RESPONSE = "RequestResponse"
EVENT = "Event"
DRY_RUN = "DryRun"

UNHANDLED = (b"x-amz-function-error", b"Unhandled")
CONTENT_TYPE = (b"content-type", JSON.encode())
EVENT_STREAM = (b"content-type", b"application/vnd.amazon.eventstream")


class LambdaApi:
    """The part of AWS's Lambda API that runs a function."""

    def __init__(self, function: Function, background: asyncio.TaskGroup) -> None:
        """Serve `function`; asynchronous invocations become tasks of `background`."""
        self._function = function
        self._background = background

    async def invoke(self, exchange: Exchange, reference: str) -> None:
        """Answer `Invoke` for the function that the path names.

        Raises:
            ApiError: the request is not one that AWS accepts.
            InvocationRefused: there is no room for it.
        """
        kind = choice(exchange, "x-amz-invocation-type", (REQUEST_RESPONSE, EVENT, DRY_RUN))
        limit = MAX_EVENT if kind == EVENT else MAX_PAYLOAD
        referent, invocation = await self._invocation(exchange, reference, limit, kind)
        label = f"Invoke {kind}"
        if kind == DRY_RUN:
            await exchange.answer(Answer(head=response_head(204, invocation, referent.version), body=b""))
        elif kind == EVENT:
            self._background.create_task(self._run_unattended(invocation, label))
            await exchange.answer(Answer(head=response_head(202, invocation), body=b""))
        else:
            await exchange.while_connected(self._respond(exchange, invocation, referent, label))

    async def invoke_with_response_stream(self, exchange: Exchange, reference: str) -> None:
        """Answer `InvokeWithResponseStream`; raises as `invoke` does."""
        kind = choice(exchange, "x-amz-invocation-type", (REQUEST_RESPONSE, DRY_RUN))
        referent, invocation = await self._invocation(exchange, reference, MAX_PAYLOAD, kind)
        if kind == DRY_RUN:
            await exchange.answer(Answer(head=response_head(204, invocation, referent.version), body=b""))
        else:
            await exchange.while_connected(self._stream(exchange, invocation, referent))

    async def invoke_async(self, exchange: Exchange, reference: str) -> None:
        """Answer the deprecated `InvokeAsync`; raises as `invoke` does."""
        _, invocation = await self._invocation(exchange, reference, MAX_EVENT, EVENT)
        self._background.create_task(self._run_unattended(invocation, "InvokeAsync"))
        await exchange.answer(Answer(head=response_head(202, invocation), body=b""))

    async def _invocation(
        self, exchange: Exchange, reference: str, limit: int, kind: str
    ) -> tuple[Referent, Invocation]:
        qualifier = parse_qs(exchange.query).get("Qualifier", [None])[0]
        payload = await exchange.body(limit)
        referent = resolve(self._function.configuration, reference, qualifier)
        if payload is None:
            raise ApiError(
                413,
                "RequestTooLargeException",
                f"Request must be smaller than {limit} bytes for the {kind} invocation type",
            )
        payload = payload or b"{}"
        metadata.check_json(payload)
        headers = exchange.headers
        if kind == EVENT:
            headers = {name: value for name, value in headers.items() if name != metadata.CLIENT_CONTEXT}
        return referent, metadata.invocation(headers, payload, arn=referent.arn, timeout=self._function.timeout)

    async def _respond(self, exchange: Exchange, invocation: Invocation, referent: Referent, label: str) -> None:
        tail_wanted = wants_tail(exchange)
        async with self._function.run(invocation, label) as (run, response):
            body, failed = in_one_piece(response, await run.read())
            if failed and response.outcome is Outcome.SUCCESS:
                run.note = f"a streamed response of {run.size} bytes is too large for Invoke"
            headers: list[tuple[bytes, bytes]] = [UNHANDLED] if failed else []
            if tail_wanted:
                headers.append((b"x-amz-log-result", self._function.tail(run, referent.version).encode()))
            head = response_head(200, invocation, referent.version, CONTENT_TYPE, *headers)
            await exchange.answer(Answer(head=head, body=body))

    async def _stream(self, exchange: Exchange, invocation: Invocation, referent: Referent) -> None:
        tail_wanted = wants_tail(exchange)
        async with self._function.run(invocation, "InvokeWithResponseStream") as (run, response):
            await exchange.start(response_head(200, invocation, referent.version, EVENT_STREAM))
            await send_events(
                exchange, run, response, lambda: self._function.tail(run, referent.version) if tail_wanted else None
            )

    async def _run_unattended(self, invocation: Invocation, label: str) -> None:
        # Nobody is left to be told of a refusal; the function's own record of its runs has it.
        with contextlib.suppress(InvocationRefused):
            async with self._function.run(invocation, label) as (run, _):
                await run.read()


def in_one_piece(response: Response, body: bytes) -> tuple[bytes, bool]:
    """Return what `Invoke` answers for `response`, whose whole body is `body`, and whether that is a function error."""
    if response.outcome is not Outcome.SUCCESS:
        # What was streamed before the error is lost on a caller who gets the response in one piece.
        return response.error_body or body, True
    if len(body) > MAX_PAYLOAD:
        return response_too_large_payload(MAX_PAYLOAD), True
    return body, False


async def send_events(
    exchange: Exchange, chunks: AsyncIterable[bytes], response: Response, tail: Callable[[], str | None]
) -> None:
    """Send what `InvokeWithResponseStream` answers after the head.

    Args:
        exchange: where to.
        chunks: the pieces of the response's body.
        response: whose they are.
        tail: returns the end of the log, base64, once the response has ended; None when it is not wanted.
    """
    body = b""
    if response.streamed:
        async for chunk in chunks:
            await exchange.write(eventstream.payload_chunk(chunk))
    else:
        # The body of what failed before it began to stream is the error, which goes into the last event.
        body = b"".join([chunk async for chunk in chunks])
        if response.outcome is Outcome.SUCCESS and body:
            await exchange.write(eventstream.payload_chunk(body))
    code = details = None
    if response.outcome is not Outcome.SUCCESS:
        code = response.error_type if response.streamed else "Unhandled"
        details = (body or response.error_body).decode("utf-8", "replace")
    await exchange.write(eventstream.invoke_complete(code, details, tail()))
    await exchange.finish()


def wants_tail(exchange: Exchange) -> bool:
    """Say whether the caller wants the end of the log.

    Raises:
        ApiError: the header is malformed.
    """
    return choice(exchange, "x-amz-log-type", ("None", "Tail")) == "Tail"


def choice(exchange: Exchange, header: str, choices: tuple[str, ...]) -> str:
    """Return the value of a header; the first of `choices` when there is none.

    Raises:
        ApiError: it is none of `choices`.
    """
    value = exchange.headers.get(header, choices[0])
    if value not in choices:
        raise ApiError(
            400, "InvalidParameterValueException", f"{header} is {value!r}: it must be one of {', '.join(choices)}"
        )
    return value


def response_head(status: int, invocation: Invocation, version: str = "", *headers: tuple[bytes, bytes]) -> Head:
    """Return the head of an answer to `Invoke` and its relatives; `version` is what ran."""
    lines = [(b"x-amzn-requestid", invocation.request_id.encode())]
    if version:
        lines.append((b"x-amz-executed-version", version.encode()))
    if invocation.trace_id:
        lines.append((b"x-amzn-trace-id", invocation.trace_id.encode("latin-1", "replace")))
    return Head(status=status, headers=(*lines, *headers))
