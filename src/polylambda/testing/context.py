"""Contexts for tests."""

from __future__ import annotations

import json
import time
import uuid
from typing import TYPE_CHECKING, Any

from polylambda.context import LambdaContext
from polylambda.rapi import headers as names
from polylambda.rapi.wire import Invocation
from polylambda.server.function import FunctionConfiguration
from polylambda.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

FUNCTION_NAME = "test-function"


def make_context(
    *,
    timeout: float = 30.0,
    request_id: str | None = None,
    content_type: str = names.JSON,
    function_name: str = FUNCTION_NAME,
    function_arn: str | None = None,
    trace_id: str = "",
    tenant_id: str = "",
    client_context: Mapping[str, Any] | None = None,
    identity: Mapping[str, str] | None = None,
    state: object = None,
    environ: Mapping[str, str] | None = None,
) -> LambdaContext:
    """Make a context as the runtime makes one.

    Args:
        timeout: seconds until the deadline.
        request_id: by default a fresh UUID.
        content_type: media type of the event; an untyped handler gets bytes when it is not JSON.
        function_name: the function's name.
        function_arn: `invoked_function_arn`, by default of the function without a qualifier.
        trace_id: X-Ray trace header.
        tenant_id: tenant of a function with tenant isolation.
        client_context: what a calling application says of itself: `{"client": {...}, "custom": {...}, "env": {...}}`.
        identity: `{"cognitoIdentityId": ..., "cognitoIdentityPoolId": ...}`.
        state: what a lifespan yielded; a `HandlerClient` with a lifespan fills it in.
        environ: more of Lambda's environment variables, such as `AWS_LAMBDA_FUNCTION_VERSION`, for the context only.
    """
    function = FunctionConfiguration(name=function_name)
    headers = {
        names.REQUEST_ID: request_id or str(uuid.uuid4()),
        names.DEADLINE_MS: str(int((time.time() + timeout) * 1000)),
        names.FUNCTION_ARN: function_arn or function.arn,
        names.TRACE_ID: trace_id,
        names.TENANT_ID: tenant_id,
        names.CLIENT_CONTEXT: "" if client_context is None else json.dumps(client_context),
        names.COGNITO_IDENTITY: "" if identity is None else json.dumps(identity),
        "content-type": content_type,
    }
    settings = Settings({**function.environment_variables(""), **(environ or {})})
    return LambdaContext(Invocation(b"", headers), settings, state=state)
