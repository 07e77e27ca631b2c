"""Invocations: `Invoke`, `InvokeWithResponseStream`, and the deprecated `InvokeAsync`.

This is the path that is taken thousands of times a second, so nothing of it goes through botocore's model. A caller who
hangs up stops nothing: the function runs to its end, as on AWS.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from polylambda.local import aws, metadata
from polylambda.local.answers import Answer
from polylambda.local.apierror import ApiError, throttled
from polylambda.plane.api import errors
from polylambda.plane.api.operations import inner
from polylambda.plane.api.resources import invocable
from polylambda.plane.control import NotActive, Throttled, VersionStatus
from polylambda.plane.records import LATEST_PUBLISHED, VersionRecord
from polylambda.plane.states import VersionState
from polylambda.rapi.headers import MAX_PAYLOAD

if TYPE_CHECKING:
    from polylambda.local.exchange import Exchange
    from polylambda.plane.api.access import Access
    from polylambda.plane.api.references import FunctionReference
    from polylambda.plane.api.resources import Resources
    from polylambda.server.invocation import Invocation
    from polylambda.server.response import Response


class Invocations:
    """The operations that run functions."""

    def __init__(self, resources: Resources, access: Access) -> None:
        self._resources = resources
        self._store = resources.store
        self._control = resources.control
        self._access = access

    async def invoke(self, exchange: Exchange, reference: str) -> None:
        """Answer `Invoke` for the function that the path names.

        Raises:
            ApiError: the request is not one that AWS accepts, or nobody can take it now.
        """
        kind = aws.choice(exchange, "x-amz-invocation-type", (aws.REQUEST_RESPONSE, aws.EVENT, aws.DRY_RUN))
        version, caller, invocation = await self._invocation(exchange, reference, kind)
        if kind == aws.DRY_RUN:
            head = aws.response_head(204, invocation, version.qualifier)
            return await exchange.answer(Answer(head=head, body=b""))
        if kind == aws.EVENT:
            return await self._enqueue(exchange, version, caller, invocation)
        tail = aws.wants_tail(exchange)
        response = await self.run(version, invocation, tail=tail)
        body, failed = aws.in_one_piece(response, await response.read())
        headers: list[tuple[bytes, bytes]] = [aws.CONTENT_TYPE]
        if failed:
            headers.append(aws.UNHANDLED)
        if tail:
            headers.append((b"x-amz-log-result", log_result(response).encode()))
        head = aws.response_head(200, invocation, version.qualifier, *headers)
        return await exchange.answer(Answer(head=head, body=body))

    async def invoke_with_response_stream(self, exchange: Exchange, reference: str) -> None:
        """Answer `InvokeWithResponseStream`; raises as `invoke` does."""
        kind = aws.choice(exchange, "x-amz-invocation-type", (aws.REQUEST_RESPONSE, aws.DRY_RUN))
        version, _, invocation = await self._invocation(exchange, reference, kind)
        if kind == aws.DRY_RUN:
            head = aws.response_head(204, invocation, version.qualifier)
            return await exchange.answer(Answer(head=head, body=b""))
        tail = aws.wants_tail(exchange)
        response = await self.run(version, invocation, tail=tail)
        try:
            await exchange.start(aws.response_head(200, invocation, version.qualifier, aws.EVENT_STREAM))
            events = aws.send_events(exchange, response, response, lambda: log_result(response) if tail else None)
            await exchange.while_connected(events)
        finally:
            await response.aclose()

    async def invoke_async(self, exchange: Exchange, reference: str) -> None:
        """Answer the deprecated `InvokeAsync`; raises as `invoke` does."""
        version, caller, invocation = await self._invocation(exchange, reference, aws.EVENT)
        await self._enqueue(exchange, version, caller, invocation)

    def resolve(self, reference: FunctionReference) -> VersionRecord:
        """Return the version that runs when `reference` is invoked; an alias may choose among two.

        Raises:
            ApiError: there is none, or none that can be invoked.
        """
        wanted = invocable(reference)
        record = self._store.version(wanted.name, wanted.qualifier or "")
        if record is None:
            record = self._without_version(wanted, reference)
        if record.deleting:
            raise errors.not_active(VersionStatus(VersionState.DELETING))
        if not record.runs:
            raise errors.not_active(
                VersionStatus(VersionState.ACTIVE_NON_INVOCABLE, "publish a version, and invoke that")
            )
        if self._store.reserved_concurrency(record.function_name) == 0:
            raise ApiError(
                429,
                "TooManyRequestsException",
                "Rate Exceeded.",
                Reason="ReservedFunctionConcurrentInvocationLimitExceeded",
            )
        return record

    async def run(self, version: VersionRecord, invocation: Invocation, *, tail: bool = False) -> Response:
        """Run an invocation; return when the head of the response is known.

        Raises:
            ApiError: nobody can take it now, or the version is not active.
        """
        try:
            return await self._control.invoke(version, invocation, tail=tail)
        except Throttled as error:
            raise throttled() from error
        except NotActive as error:
            raise errors.not_active(error.status) from error

    def _without_version(self, wanted: FunctionReference, reference: FunctionReference) -> VersionRecord:
        """Return the version of an alias; `reference` is what the caller said."""
        alias = self._store.alias(wanted.name, wanted.qualifier or "")
        if alias is not None:
            qualifier: str = alias["FunctionVersion"]
            weights: dict[str, float] = inner(alias, "RoutingConfig").get("AdditionalVersionWeights") or {}
            for other, weight in weights.items():
                if random.random() < weight:  # noqa: S311
                    qualifier = other
            record = self._store.version(wanted.name, qualifier)
            if record is not None:
                return record
        arn = self._resources.names.function_arn(wanted.name, reference.qualifier)
        if self._store.versions_of(wanted.name) and wanted.qualifier == LATEST_PUBLISHED:
            raise errors.LambdaError(
                "NoPublishedVersionException",
                f"The function {wanted.name} has no published version: publish one to $LATEST.PUBLISHED "
                '(PublishVersion with PublishTo="LATEST_PUBLISHED"), or name a version',
            )
        raise errors.function_not_found(arn)

    async def _invocation(
        self, exchange: Exchange, reference: str, kind: str
    ) -> tuple[VersionRecord, FunctionReference, Invocation]:
        claimed = self._access.begin(exchange)
        limit = aws.MAX_EVENT if kind == aws.EVENT else MAX_PAYLOAD
        payload = await exchange.body(limit)
        if payload is None:
            raise errors.LambdaError(
                "RequestTooLargeException",
                f"Request must be smaller than {limit} bytes for the {kind} invocation type",
            )
        self._access.finish(claimed, exchange, payload)
        qualifier = dict(parse_qsl(exchange.query)).get("Qualifier") if exchange.query else None
        caller = self._resources.names.function(reference, qualifier)
        version = self.resolve(caller)
        payload = payload or b"{}"
        metadata.check_json(payload)
        headers = exchange.headers
        if kind == aws.EVENT:
            headers = {name: value for name, value in headers.items() if name != metadata.CLIENT_CONTEXT}
        arn = self._resources.names.function_arn(caller.name, caller.qualifier)
        return version, caller, metadata.invocation(headers, payload, arn=arn, timeout=version.timeout)

    async def _enqueue(
        self, exchange: Exchange, version: VersionRecord, caller: FunctionReference, invocation: Invocation
    ) -> None:
        self._control.enqueue(version, caller.qualifier, invocation)
        await exchange.answer(Answer(head=aws.response_head(202, invocation), body=b""))


def log_result(response: Response) -> str:
    """Return the end of the log, base64, of a response that has ended."""
    tail: str = getattr(response, "log_tail", "")
    return tail
