"""What callers say of an invocation in HTTP headers, checked and turned into an `Invocation`."""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import TYPE_CHECKING

from polylambda.local.apierror import ApiError
from polylambda.rapi.headers import JSON
from polylambda.server.broker import Invocation

if TYPE_CHECKING:
    from collections.abc import Mapping

CLIENT_CONTEXT = "x-amz-client-context"
TENANT_ID = "x-amz-tenant-id"
TRACE_ID = "x-amzn-trace-id"

MAX_CLIENT_CONTEXT = 3583  # bytes of base64

_TENANT_ID = re.compile(r"[A-Za-z0-9._:/=+\-@ ]{1,256}")


def invocation(
    headers: Mapping[str, str], payload: bytes, *, arn: str, timeout: float, content_type: str = JSON
) -> Invocation:
    """Return the invocation that a caller asks for with `payload`; `headers` have lower-case names.

    Its request id is always a new one, whatever the caller sent.

    Raises:
        ApiError: the client context or the tenant id is malformed.
    """
    return Invocation(
        payload=payload,
        content_type=content_type,
        timeout=timeout,
        invoked_function_arn=arn,
        trace_id=headers.get(TRACE_ID, ""),
        client_context=_client_context(headers.get(CLIENT_CONTEXT, "")),
        tenant_id=_tenant_id(headers.get(TENANT_ID, "")),
    )


def check_json(payload: bytes) -> None:
    """Refuse a payload that is not JSON, as Lambda does before it runs a function.

    Raises:
        ApiError: it is not.
    """
    try:
        _JSON.decode(payload.decode(json.detect_encoding(payload)))
    except (ValueError, RecursionError) as error:
        raise ApiError(
            400, "InvalidRequestContentException", f"Could not parse request body into json: {error}"
        ) from error


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


_JSON = json.JSONDecoder(parse_constant=_refuse_constant)


def _client_context(text: str) -> str:
    if not text:
        return ""
    if len(text) > MAX_CLIENT_CONTEXT:
        raise ApiError(
            400,
            "InvalidRequestContentException",
            f"the client context has {len(text)} bytes of base64, the limit is {MAX_CLIENT_CONTEXT}",
        )
    try:
        decoded = base64.b64decode(text, validate=True).decode()
        parsed = json.loads(decoded)
    except (binascii.Error, ValueError, RecursionError) as error:
        raise ApiError(
            400, "InvalidRequestContentException", f"Client context must be a valid Base64-encoded JSON object: {error}"
        ) from error
    if not isinstance(parsed, dict):
        raise ApiError(
            400, "InvalidRequestContentException", "Client context must be a valid Base64-encoded JSON object"
        )
    return decoded


def _tenant_id(text: str) -> str:
    if text and not _TENANT_ID.fullmatch(text):
        raise ApiError(
            400,
            "InvalidParameterValueException",
            f"tenant id {text[:40]!r}: 1 to 256 of the characters a-z A-Z 0-9 . _ : / = + - @ and space",
        )
    return text
