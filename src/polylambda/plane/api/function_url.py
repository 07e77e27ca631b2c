"""Requests to function URLs: each is an event, and the result describes the response.

See https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html. A URL is reached by its host name, or on hosts
that cannot look such names up by the path `/url/<id>/`.
"""

from __future__ import annotations

import contextlib
import json
import re
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from polylambda.local import answers, metadata, urls
from polylambda.local.answers import INTERNAL_SERVER_ERROR, Answer, BadAnswer, Head, Prelude, has_prelude
from polylambda.local.apierror import ApiError
from polylambda.local.web import pass_on
from polylambda.plane.api.operations import inner
from polylambda.plane.api.references import FunctionReference
from polylambda.rapi.headers import JSON, MAX_PAYLOAD
from polylambda.server.invocation import Invocation, Outcome

if TYPE_CHECKING:
    from polylambda.local.exchange import Exchange
    from polylambda.plane.api.access import Access
    from polylambda.plane.api.invoke import Invocations
    from polylambda.plane.api.resources import Resources
    from polylambda.plane.records import Document
    from polylambda.server.response import Response

_HOST = re.compile(r"([a-z0-9]{32})\.lambda-url\.[a-z0-9-]+\.(?:localhost|on\.aws)(?::\d+)?")
_PATH = re.compile(r"/url/([a-z0-9]{32})(/.*)?")

_NOT_HERE = Answer(
    head=Head(status=403, headers=((b"content-type", JSON.encode()),)),
    body=b'{"Message":"Forbidden: there is no such function URL"}',
)


def url_of(exchange: Exchange) -> tuple[str, str] | None:
    """Return the id of the function URL that a request is for, and the path as it was sent; None: it is for none."""
    if match := _HOST.fullmatch(exchange.headers.get("host", "").lower()):
        return match[1], exchange.target
    if match := _PATH.fullmatch(exchange.target):
        return match[1], match[2] or "/"
    return None


class FunctionUrls:
    """All function URLs of a plane."""

    def __init__(self, resources: Resources, invocations: Invocations, access: Access) -> None:
        self._resources = resources
        self._invocations = invocations
        self._access = access

    async def __call__(self, exchange: Exchange, url_id: str, path: str) -> None:
        """Answer a request to the URL with that id."""
        found = self._resources.store.url_by_id(url_id)
        if found is None:
            return await exchange.answer(_NOT_HERE)
        function, qualifier, config = found
        cors = cors_headers(inner(config, "Cors"), exchange.headers)
        if cors and exchange.method == "OPTIONS" and "access-control-request-method" in exchange.headers:
            return await exchange.answer(Answer(head=Head(status=200, headers=cors), body=b""))
        try:
            await self._run(exchange, FunctionReference(function, qualifier or None), config, path, cors)
        except ApiError as error:
            if exchange.started:
                raise
            await exchange.answer(_with_headers(_told(error), cors))

    async def _run(
        self,
        exchange: Exchange,
        reference: FunctionReference,
        config: Document,
        path: str,
        cors: tuple[tuple[bytes, bytes], ...],
    ) -> None:
        body = await exchange.body(MAX_PAYLOAD)
        if body is None:
            raise ApiError(413, "RequestTooLargeException", f"the request has more than {MAX_PAYLOAD} bytes")
        iam = None
        if config["AuthType"] == "AWS_IAM":
            iam = self._iam(self._access.signer(exchange, body))
        version = self._invocations.resolve(reference)
        invocation = Invocation(
            payload=b"",
            timeout=version.timeout,
            invoked_function_arn=config["FunctionArn"],
            trace_id=exchange.headers.get(metadata.TRACE_ID, ""),
        )
        request = replace(exchange.request(body), target=path)
        payload = urls.payload(
            request, request_id=invocation.request_id, now=time.time(), api_id=config["UrlId"], iam=iam
        )
        response = await self._invocations.run(version, replace(invocation, payload=payload))
        try:
            if config["InvokeMode"] == "RESPONSE_STREAM":
                await exchange.while_connected(_stream(exchange, response, cors))
            else:
                await exchange.answer(_with_headers(await _in_one_piece(response), cors))
        finally:
            await response.aclose()

    def _iam(self, key: str) -> dict[str, Any]:
        account = self._resources.names.account
        return {
            "accessKey": key,
            "accountId": account,
            "callerId": key,
            "cognitoIdentity": None,
            "principalOrgId": None,
            "userArn": f"arn:aws:iam::{account}:root",
            "userId": key,
        }


def cors_headers(config: Document, headers: dict[str, str]) -> tuple[tuple[bytes, bytes], ...]:
    """Return the CORS headers for a request with `headers`; none when its origin is not allowed, or it has none."""
    origin = headers.get("origin", "")
    origins: list[str] = config.get("AllowOrigins") or []
    if not origin or not ("*" in origins or origin in origins):
        return ()
    told = {"access-control-allow-origin": "*" if "*" in origins else origin, "vary": "Origin"}
    if config.get("AllowCredentials"):
        told["access-control-allow-credentials"] = "true"
    if config.get("ExposeHeaders"):
        told["access-control-expose-headers"] = ",".join(config["ExposeHeaders"])
    if "access-control-request-method" in headers:
        told["access-control-allow-methods"] = ",".join(config.get("AllowMethods") or ())
        told["access-control-allow-headers"] = ",".join(config.get("AllowHeaders") or ())
        told["access-control-max-age"] = str(config.get("MaxAge") or 0)
    return tuple((name.encode(), value.encode("latin-1", "replace")) for name, value in told.items())


async def _in_one_piece(response: Response) -> Answer:
    body = await response.read()
    try:
        if response.outcome is not Outcome.SUCCESS or len(body) > MAX_PAYLOAD:
            return INTERNAL_SERVER_ERROR
        if not has_prelude(response.content_type):
            return answers.buffered(body)
        found = Prelude().receive(body)
        return INTERNAL_SERVER_ERROR if found is None else Answer(head=found[0], body=found[1])
    except BadAnswer:
        return INTERNAL_SERVER_ERROR


async def _stream(exchange: Exchange, response: Response, cors: tuple[tuple[bytes, bytes], ...]) -> None:
    if not response.streamed and not has_prelude(response.content_type):
        body = await response.read()
        if response.outcome is not Outcome.SUCCESS:
            answer = INTERNAL_SERVER_ERROR
        else:
            answer = Answer(head=answers.plain_head(response.content_type), body=body)
        await exchange.answer(_with_headers(answer, cors))
        return
    with contextlib.suppress(BadAnswer):
        await pass_on(exchange, response, response, cors)
    if not exchange.started:
        await exchange.answer(INTERNAL_SERVER_ERROR)


def _told(error: ApiError) -> Answer:
    """Return an error as function URLs tell it."""
    status = error.status if error.status in (403, 413, 429) else 502
    message = {403: "Forbidden", 413: "Payload too large", 429: "Rate Exceeded."}.get(status, "Internal Server Error")
    headers = [(b"content-type", JSON.encode()), (b"x-amzn-errortype", error.name.encode())]
    if status == 429:
        headers.append((b"retry-after", b"1"))
    body = json.dumps({"Message": message}).encode()
    return Answer(head=Head(status=status, headers=tuple(headers)), body=body)


def _with_headers(answer: Answer, headers: tuple[tuple[bytes, bytes], ...]) -> Answer:
    return Answer(head=answer.head.with_headers(headers), body=answer.body)
