"""The local server as one ASGI application: which path is what."""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING

from polylambda.local.apierror import ApiError, throttled
from polylambda.local.aws import LambdaApi
from polylambda.local.exchange import CallerGone, Exchange, Receive, Scope, Send
from polylambda.local.web import FunctionUrl, InvocationEndpoint
from polylambda.server.errors import InvalidInvocation, InvocationRefused, QueueFull

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable

    from polylambda.local.function import Function

# Every path of AWS's API begins with the date of its version.
_API_PATH = re.compile(r"/\d{4}-\d\d-\d\d/.*")
_INVOKE = re.compile(r"/2015-03-31/functions/([^/]+)/invocations")
_INVOKE_WITH_RESPONSE_STREAM = re.compile(r"/2021-11-15/functions/([^/]+)/response-streaming-invocations")
_INVOKE_ASYNC = re.compile(r"/2014-11-13/functions/([^/]+)/invoke-async/?")


class LocalApp:
    """Everything that the local server answers.

    An ASGI application for HTTP; it has no lifespan of its own.
    """

    def __init__(
        self,
        function: Function,
        background: asyncio.TaskGroup,
        *,
        endpoint: str,
        on_defect: Callable[[Exception], None],
    ) -> None:
        """Answer for `function`.

        Args:
            function: what is invoked.
            background: owns the asynchronous invocations.
            endpoint: path of the invocation endpoint.
            on_defect: called with an exception that nobody expected, after which the caller gets a 500.
        """
        self._endpoint_path = endpoint
        self._endpoint = InvocationEndpoint(function)
        self._url = FunctionUrl(function)
        api = LambdaApi(function, background)
        self._operations = (
            (_INVOKE, api.invoke),
            (_INVOKE_WITH_RESPONSE_STREAM, api.invoke_with_response_stream),
            (_INVOKE_ASYNC, api.invoke_async),
        )
        self._on_defect = on_defect

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        with contextlib.suppress(CallerGone):
            await self._serve(Exchange(scope, receive, send))

    async def _serve(self, exchange: Exchange) -> None:
        try:
            await self._route(exchange)
        except CallerGone:
            raise
        except ApiError as error:
            await exchange.answer(error.answer())
        except QueueFull:
            await exchange.answer(throttled().answer())
        except InvalidInvocation as error:
            await exchange.answer(ApiError(400, "InvalidParameterValueException", str(error)).answer())
        except InvocationRefused as error:
            await exchange.answer(ApiError(500, "ServiceException", str(error)).answer())
        except Exception as error:
            self._on_defect(error)
            if not exchange.started:
                await exchange.answer(ApiError(500, "ServiceException", "a defect of the local server").answer())

    def _route(self, exchange: Exchange) -> Awaitable[None]:
        if exchange.path == self._endpoint_path:
            return self._endpoint(exchange)
        if _API_PATH.fullmatch(exchange.path):
            return self._call_api(exchange)
        return self._url(exchange)

    async def _call_api(self, exchange: Exchange) -> None:
        for path, operation in self._operations:
            match = path.fullmatch(exchange.path)
            if match is not None and exchange.method == "POST":
                return await operation(exchange, match[1])
        raise ApiError(
            404,
            "UnknownOperationException",
            f"{exchange.method} {exchange.path}: of AWS's API there is only Invoke, InvokeWithResponseStream and "
            "InvokeAsync here",
        )
