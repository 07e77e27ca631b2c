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

    from polylambda.local.exchange import Exchange
    from polylambda.local.function import Function

MAX_EVENT = 1024 * 1024  # bytes of an asynchronous invocation

REQUEST_RESPONSE = "RequestResponse"
EVENT = "Event"
DRY_RUN = "DryRun"

_UNHANDLED = (b"x-amz-function-error", b"Unhandled")


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
        kind = _choice(exchange, "x-amz-invocation-type", (REQUEST_RESPONSE, EVENT, DRY_RUN))
        limit = MAX_EVENT if kind == EVENT else MAX_PAYLOAD
        referent, invocation = await self._invocation(exchange, reference, limit, kind)
        label = f"Invoke {kind}"
        if kind == DRY_RUN:
            await exchange.answer(Answer(head=_head(204, invocation, referent), body=b""))
        elif kind == EVENT:
            self._background.create_task(self._run_unattended(invocation, label))
            await exchange.answer(Answer(head=_head(202, invocation), body=b""))
        else:
            await exchange.while_connected(self._respond(exchange, invocation, referent, label))

    async def invoke_with_response_stream(self, exchange: Exchange, reference: str) -> None:
        """Answer `InvokeWithResponseStream`; raises as `invoke` does."""
        kind = _choice(exchange, "x-amz-invocation-type", (REQUEST_RESPONSE, DRY_RUN))
        referent, invocation = await self._invocation(exchange, reference, MAX_PAYLOAD, kind)
        if kind == DRY_RUN:
            await exchange.answer(Answer(head=_head(204, invocation, referent), body=b""))
        else:
            await exchange.while_connected(self._stream(exchange, invocation, referent))

    async def invoke_async(self, exchange: Exchange, reference: str) -> None:
        """Answer the deprecated `InvokeAsync`; raises as `invoke` does."""
        _, invocation = await self._invocation(exchange, reference, MAX_EVENT, EVENT)
        self._background.create_task(self._run_unattended(invocation, "InvokeAsync"))
        await exchange.answer(Answer(head=_head(202, invocation), body=b""))

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
        wants_tail = _wants_tail(exchange)
        async with self._function.run(invocation, label) as (run, response):
            body = await run.read()
            headers = [(b"content-type", JSON.encode())]
            if response.outcome is Outcome.SUCCESS and len(body) > MAX_PAYLOAD:
                run.note = f"a streamed response of {len(body)} bytes is too large for Invoke"
                body = response_too_large_payload(MAX_PAYLOAD)
                headers.append(_UNHANDLED)
            elif response.outcome is not Outcome.SUCCESS:
                # What was streamed before the error is lost on a caller who gets the response in one piece.
                body = response.error_body or body
                headers.append(_UNHANDLED)
            if wants_tail:
                headers.append((b"x-amz-log-result", self._function.tail(run, referent.version).encode()))
            await exchange.answer(Answer(head=_head(200, invocation, referent, *headers), body=body))

    async def _stream(self, exchange: Exchange, invocation: Invocation, referent: Referent) -> None:
        wants_tail = _wants_tail(exchange)
        async with self._function.run(invocation, "InvokeWithResponseStream") as (run, response):
            content_type = (b"content-type", b"application/vnd.amazon.eventstream")
            await exchange.start(_head(200, invocation, referent, content_type))
            # The body of what failed before it began to stream is the error, which goes into the last event.
            failed = not response.streamed and response.outcome is not Outcome.SUCCESS
            error = await run.read() if failed else b""
            async for chunk in run:
                await exchange.write(eventstream.payload_chunk(chunk))
            code = details = None
            if response.outcome is not Outcome.SUCCESS:
                code = "Unhandled" if failed else response.error_type
                details = (error or response.error_body).decode("utf-8", "replace")
            tail = self._function.tail(run, referent.version) if wants_tail else None
            await exchange.write(eventstream.invoke_complete(code, details, tail))
            await exchange.finish()

    async def _run_unattended(self, invocation: Invocation, label: str) -> None:
        # Nobody is left to be told of a refusal; the function's own record of its runs has it.
        with contextlib.suppress(InvocationRefused):
            async with self._function.run(invocation, label) as (run, _):
                await run.read()


def _wants_tail(exchange: Exchange) -> bool:
    return _choice(exchange, "x-amz-log-type", ("None", "Tail")) == "Tail"


def _choice(exchange: Exchange, header: str, choices: tuple[str, ...]) -> str:
    value = exchange.headers.get(header, choices[0])
    if value not in choices:
        raise ApiError(
            400, "InvalidParameterValueException", f"{header} is {value!r}: it must be one of {', '.join(choices)}"
        )
    return value


def _head(status: int, invocation: Invocation, referent: Referent | None = None, *headers: tuple[bytes, bytes]) -> Head:
    lines = [(b"x-amzn-requestid", invocation.request_id.encode())]
    if referent is not None:
        lines.append((b"x-amz-executed-version", referent.version.encode()))
    if invocation.trace_id:
        lines.append((b"x-amzn-trace-id", invocation.trace_id.encode("latin-1", "replace")))
    return Head(status=status, headers=(*lines, *headers))
