"""The whole of what a plane answers over HTTP, as one ASGI application: which path is what."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import re
import sys
import traceback
from typing import TYPE_CHECKING
from urllib.parse import unquote

from polylambda.local.answers import Head
from polylambda.local.apierror import ApiError
from polylambda.local.exchange import CallerGone, Exchange, Receive, Scope, Send
from polylambda.plane.api import constraints, errors, parsing, serialising
from polylambda.plane.api.access import Access
from polylambda.plane.api.account import Account
from polylambda.plane.api.aliases import Aliases
from polylambda.plane.api.event_invoke import EventInvokeConfigs
from polylambda.plane.api.function_url import FunctionUrls, url_of
from polylambda.plane.api.functions import CODE_PATH, Functions
from polylambda.plane.api.invoke import Invocations
from polylambda.plane.api.model import lambda_model
from polylambda.plane.api.providers import CapacityProviders
from polylambda.plane.api.references import Namespace
from polylambda.plane.api.resources import Resources
from polylambda.plane.api.tags import Tags
from polylambda.plane.api.urls import UrlConfigs
from polylambda.plane.api.versions import Versions
from polylambda.plane.code import CodeFolder
from polylambda.server.errors import InvalidInvocation, InvocationRefused
from polylambda.server.invocation import new_id

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from polylambda.plane.api.operations import Operation
    from polylambda.plane.control import Control
    from polylambda.plane.records import Document
    from polylambda.plane.sigv4 import Credentials
    from polylambda.plane.store import Store

    AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]

MAX_REQUEST = 70_167_211
"""Bytes of the body of a request that is no invocation; AWS's figure, which fits 50 MB of zip file as base64."""

_INVOKE = re.compile(r"/2015-03-31/functions/([^/]+)/invocations/?")
_STREAM = re.compile(r"/2021-11-15/functions/([^/]+)/response-streaming-invocations/?")
_INVOKE_ASYNC = re.compile(r"/2014-11-13/functions/([^/]+)/invoke-async/?")
_CODE = re.compile(rf"{CODE_PATH}([0-9a-f]{{64}})\.zip")
_CODE_CHUNK = 1 << 18
_LARGE = 1 << 18

_ADMIN = ("/polylambda/", "/metrics")


def api(
    store: Store,
    control: Control,
    *,
    region: str,
    account: str,
    admin: AsgiApp | None = None,
    credentials: Credentials | None = None,
    endpoint: Callable[[], str],
    on_defect: Callable[[Exception], None] | None = None,
) -> AsgiApp:
    """Return the ASGI application of a plane; the code of functions is in the store's folder.

    Args:
        store: what is wanted.
        control: the running plane.
        region: AWS region that everything is in.
        account: twelve digits.
        admin: answers what begins with `/polylambda/`, and `/metrics`; access is checked before.
        credentials: who may call; None: everybody on this machine, as is right on loopback only.
        endpoint: returns the URL that callers reach the application by, without a slash at the end.
        on_defect: called with an exception that nobody expected; None: its traceback goes to stderr.
    """
    code = CodeFolder(store.folder / "code")
    code.collect({record.code for record in store.versions()})
    resources = Resources(store, control, code, Namespace(region, account), endpoint)
    return PlaneApp(resources, Access(credentials), admin, on_defect or _report)


class PlaneApp:
    """AWS's API, function URLs, and the plane's own paths. It has no lifespan."""

    def __init__(
        self, resources: Resources, access: Access, admin: AsgiApp | None, on_defect: Callable[[Exception], None]
    ) -> None:
        self._model = lambda_model()
        self._resources = resources
        self._access = access
        self._admin = admin
        self._on_defect = on_defect
        self._invocations = Invocations(resources, access)
        self._urls = FunctionUrls(resources, self._invocations, access)
        versions = Versions(resources)
        groups = (
            CapacityProviders(resources),
            Functions(resources, versions),
            versions,
            Aliases(resources),
            Tags(resources),
            EventInvokeConfigs(resources),
            UrlConfigs(resources),
            Account(resources),
        )
        self._operations: dict[str, Operation] = {
            name: operation for group in groups for name, operation in group.operations.items()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        exchange = Exchange(scope, receive, send)
        with contextlib.suppress(CallerGone):
            try:
                # A function URL may have such paths of its own.
                if self._admin is not None and exchange.path.startswith(_ADMIN) and url_of(exchange) is None:
                    self._access.check_site(exchange)
                    await self._admin(scope, receive, send)
                else:
                    await self._serve(exchange)
            except ApiError as error:
                await exchange.answer(error.answer())

    async def _serve(self, exchange: Exchange) -> None:
        try:
            await self._route(exchange)
        except (CallerGone, ApiError):
            raise
        except InvalidInvocation as error:
            raise errors.invalid_parameter(str(error)) from error
        except InvocationRefused as error:
            raise errors.LambdaError("ServiceException", str(error)) from error
        except Exception as error:
            self._on_defect(error)
            if exchange.started:
                return  # an answer that is cut off tells the caller
            raise errors.LambdaError("ServiceException", "a defect of polylambda; its log has the details") from error

    async def _route(self, exchange: Exchange) -> None:
        found = url_of(exchange)
        if found is not None:
            return await self._urls(exchange, *found)
        target = exchange.target
        if exchange.method == "POST":
            if match := _INVOKE.fullmatch(target):
                return await self._invocations.invoke(exchange, unquote(match[1]))
            if match := _STREAM.fullmatch(target):
                return await self._invocations.invoke_with_response_stream(exchange, unquote(match[1]))
            if match := _INVOKE_ASYNC.fullmatch(target):
                return await self._invocations.invoke_async(exchange, unquote(match[1]))
        if exchange.method == "GET" and (match := _CODE.fullmatch(target)):
            archive = self._resources.code.download(match[1])
            if archive is not None:
                return await _send_file(exchange, archive)
        return await self._operate(exchange)

    async def _operate(self, exchange: Exchange) -> None:
        claimed = self._access.begin(exchange)
        body = await exchange.body(MAX_REQUEST)
        target = self._model.route(exchange.method, exchange.target, exchange.query)
        if target is None:
            raise errors.unknown_operation(exchange.method, exchange.target)
        name = target.operation.name
        if body is None:
            raise errors.LambdaError(
                "RequestTooLargeException", f"Request must be smaller than {MAX_REQUEST} bytes for the {name} operation"
            )

        def read() -> Document:
            self._access.finish(claimed, exchange, body)
            if name not in self._operations:
                raise errors.not_implemented(name)
            parameters = parsing.parameters(target, exchange.headers, body)
            constraints.check(target.operation.input_shape, parameters)
            return parameters

        # Hashing and decoding 70 MB takes most of a second, in which no invocation is to wait.
        parameters = read() if len(body) < _LARGE else await asyncio.to_thread(read)
        result = self._operations[name](parameters)
        if inspect.isawaitable(result):
            result = await result
        await exchange.answer(serialising.answer(target.operation, result, new_id()))


async def _send_file(exchange: Exchange, path: Path) -> None:
    size = path.stat().st_size  # noqa: ASYNC240
    headers = ((b"content-type", b"application/zip"), (b"content-length", str(size).encode()))
    await exchange.start(Head(status=200, headers=headers))
    with path.open("rb") as file:
        while chunk := file.read(_CODE_CHUNK):
            await exchange.write(chunk)
    await exchange.finish()


def _report(error: Exception) -> None:
    print("polylambda: a defect in the plane's API:", file=sys.stderr)  # noqa: T201
    traceback.print_exception(error)
