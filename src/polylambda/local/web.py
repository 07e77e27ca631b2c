"""The two ways in which plain HTTP reaches a function: the invocation endpoint, and its function URL.

    POST /invoke          the body is the event, the response is the result
    anything elsewhere    the request is the event (payload format 2.0), the result describes the response

Both pass a streamed response on as it comes and apply its HTTP prelude. They differ in what a buffered result means,
and in how much a caller is told of an error.
"""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from polylambda.local import answers, metadata, urls
from polylambda.local.answers import INTERNAL_SERVER_ERROR, Answer, BadAnswer, Head, Prelude, has_prelude
from polylambda.rapi.headers import JSON, MAX_PAYLOAD
from polylambda.server.broker import Invocation, Outcome, Response

if TYPE_CHECKING:
    from collections.abc import AsyncIterable

    from polylambda.local.exchange import Exchange
    from polylambda.local.function import Function

_FORM = "application/x-www-form-urlencoded"


class InvocationEndpoint:
    """`POST /invoke`, as the Swift runtime's local server has it."""

    def __init__(self, function: Function) -> None:
        self._function = function

    async def __call__(self, exchange: Exchange) -> None:
        """Answer a request.

        200 with the function's result, 400 for an empty body, 405 for another method than POST, 413 for more than 6 MB,
        500 with the error's JSON when the function failed.

        Raises:
            ApiError: a header is malformed.
            InvocationRefused: there is no room for the invocation.
        """
        if exchange.method != "POST":
            await exchange.answer(_told(405, "send the event with POST", (b"allow", b"POST")))
            return
        payload = await exchange.body(MAX_PAYLOAD)
        if payload is None:
            await exchange.answer(_told(413, f"the event has more than {MAX_PAYLOAD} bytes"))
        elif not payload:
            await exchange.answer(_told(400, "the request has no body: send the event as JSON, at least {}"))
        else:
            invocation = metadata.invocation(
                exchange.headers,
                payload,
                arn=self._function.configuration.arn,
                timeout=self._function.timeout,
                content_type=_content_type(exchange.headers.get("content-type", ""), payload),
            )
            await exchange.while_connected(self._respond(exchange, invocation))

    async def _respond(self, exchange: Exchange, invocation: Invocation) -> None:
        async with self._function.run(invocation, f"{exchange.method} {exchange.path}") as (run, response):
            if is_stream(response):
                try:
                    await pass_on(exchange, run, response)
                except BadAnswer as problem:
                    run.note = str(problem)
                    await exchange.answer(_told(502, str(problem)))
                if exchange.started:
                    return
            # A stream that failed before there was anything to pass on has its error beside the body.
            body = await run.read() or response.error_body
            failed = response.outcome is not Outcome.SUCCESS
            content_type = JSON if failed else response.content_type
            headers = [
                (b"content-type", content_type.encode("latin-1", "replace")),
                (b"x-amzn-requestid", invocation.request_id.encode()),
            ]
            if failed:
                headers.append((b"x-amz-function-error", b"Unhandled"))
            await exchange.answer(Answer(head=Head(status=500 if failed else 200, headers=tuple(headers)), body=body))


class FunctionUrl:
    """The function's URL: every request is an event, and a failure is a 502 that says nothing, as on AWS."""

    def __init__(self, function: Function) -> None:
        self._function = function

    async def __call__(self, exchange: Exchange) -> None:
        """Answer a request.

        Raises:
            InvocationRefused: there is no room for the invocation.
        """
        body = await exchange.body(MAX_PAYLOAD)
        if body is None:
            await exchange.answer(_told(413, f"the request has more than {MAX_PAYLOAD} bytes"))
            return
        invocation = Invocation(
            payload=b"",
            timeout=self._function.timeout,
            invoked_function_arn=self._function.configuration.arn,
            trace_id=exchange.headers.get(metadata.TRACE_ID, ""),
        )
        payload = urls.payload(exchange.request(body), request_id=invocation.request_id, now=time.time())
        await exchange.while_connected(self._respond(exchange, replace(invocation, payload=payload)))

    async def _respond(self, exchange: Exchange, invocation: Invocation) -> None:
        async with self._function.run(invocation, f"{exchange.method} {exchange.target}") as (run, response):
            try:
                if is_stream(response):
                    await pass_on(exchange, run, response)
                    if not exchange.started:
                        await exchange.answer(INTERNAL_SERVER_ERROR)
                    return
                body = await run.read()
                failed = response.outcome is not Outcome.SUCCESS
                await exchange.answer(INTERNAL_SERVER_ERROR if failed else answers.buffered(body))
            except BadAnswer as problem:
                run.note = str(problem)
                await exchange.answer(INTERNAL_SERVER_ERROR)


def is_stream(response: Response) -> bool:
    """Say whether a response is to be passed on as it comes."""
    return response.streamed or has_prelude(response.content_type)


async def pass_on(
    exchange: Exchange,
    chunks: AsyncIterable[bytes],
    response: Response,
    headers: tuple[tuple[bytes, bytes], ...] = (),
) -> None:
    """Send a stream on as it arrives. One that breaks off is not finished, so that the caller can tell.

    Nothing is sent when it breaks off before there is a head to send. `headers` are sent beside the function's own, and
    in place of those of the same names.

    Raises:
        BadAnswer: nothing was sent, because the prelude is wrong.
    """
    prelude = Prelude() if has_prelude(response.content_type) else None
    async for chunk in chunks:
        body = chunk
        if not exchange.started:
            if prelude is None:
                head = answers.plain_head(response.content_type)
            else:
                found = prelude.receive(chunk)
                if found is None:
                    continue
                head, body = found
            await exchange.start(head.with_headers(headers))
        await exchange.write(body)
    if response.outcome is Outcome.SUCCESS:
        if not exchange.started:
            if prelude is not None:
                raise prelude.end()
            await exchange.start(answers.plain_head(response.content_type).with_headers(headers))
        await exchange.finish()


def _content_type(told: str, payload: bytes) -> str:
    """Return the type of an event: what the caller said, but JSON where it said nothing or let curl speak for it."""
    if told.partition(";")[0].strip().lower() not in ("", _FORM):
        return told
    try:
        json.loads(payload)
    except (ValueError, RecursionError):
        return told or JSON
    return JSON


def _told(status: int, message: str, *headers: tuple[bytes, bytes]) -> Answer:
    return Answer(
        head=Head(status=status, headers=((b"content-type", JSON.encode()), *headers)),
        body=json.dumps({"message": message}).encode(),
    )
