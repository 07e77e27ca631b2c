"""What goes wrong, in AWS's words: error types and payloads for callers, refusals for runtimes."""

from __future__ import annotations

import json
import re

from polylambda.server.errors import Refusal

TIMED_OUT = "Sandbox.Timedout"
SANDBOX_FAILURE = "Sandbox.Failure"
EXIT_ERROR = "Runtime.ExitError"
TRUNCATED_RESPONSE = "Runtime.TruncatedResponse"
INVALID_RESPONSE_MODE = "Runtime.InvalidResponseModeHeader"
RESPONSE_TOO_LARGE = "Function.ResponseSizeTooLarge"

_KNOWN_ERROR_TYPE = re.compile(r"(?:Runtime|Function)\.[A-Z][a-zA-Z]+")


def error_payload(error_type: str, message: str) -> bytes:
    """Return the JSON that a caller gets for an error of the platform."""
    return json.dumps({"errorType": error_type, "errorMessage": message}).encode()


def timeout_payload(timeout: float) -> bytes:
    """Return the payload for an invocation that took longer than `timeout` seconds."""
    return error_payload(TIMED_OUT, f"Task timed out after {timeout:.2f} seconds")


def environment_payload(request_id: str, error_type: str, reason: str) -> bytes:
    """Return the payload for an invocation whose environment failed for `reason`."""
    return error_payload(error_type, f"RequestId: {request_id} Error: {reason}")


def function_error_type(header: str) -> str:
    """Return what the platform makes of a runtime's error type: itself, or `Unknown` of its category."""
    if _KNOWN_ERROR_TYPE.search(header):
        return header
    return "Function.Unknown" if header.startswith("Function.") else "Runtime.Unknown"


def invalid_request_id() -> Refusal:
    """There is no such invocation, or it has its answer."""
    return Refusal(400, "InvalidRequestID", "Invalid request ID")


def invalid_invocation_id() -> Refusal:
    """The answer belongs to another attempt than the one that is running."""
    return Refusal(400, "InvalidInvocationId", "Invalid invocation ID")


def invalid_response_mode() -> Refusal:
    """The response mode is something else than streaming, which is the only one that is ever named."""
    return Refusal(400, "InvalidFunctionResponseMode", "Invalid response mode: leave the header out, or say streaming")


def invoke_timeout() -> Refusal:
    """The answer comes too late."""
    return Refusal(410, "InvokeTimeout", "Invoke timeout")


def too_large(limit: int) -> Refusal:
    """The body has more than `limit` bytes; there is no point in reading the rest."""
    message = f"Exceeded maximum allowed payload size ({limit} bytes)."
    return Refusal(413, "RequestEntityTooLarge", message, fatal=True)


def truncated_request() -> Refusal:
    """The connection ended before the body did."""
    return Refusal(400, "TruncatedHTTPRequest", "The request's body ended early", fatal=True)


def invalid_state() -> Refusal:
    """The runtime is past its init."""
    return Refusal(403, "InvalidStateTransition", "The runtime is past its init phase, or its init error is known")


def shutting_down() -> Refusal:
    """The environment takes no more polls."""
    return Refusal(500, "InternalServerError", "The execution environment is shutting down")


def too_many_polls(limit: int) -> Refusal:
    """More polls wait than anybody could want."""
    return Refusal(500, "InternalServerError", f"More than {limit} polls wait for an invocation")


def response_too_large_payload(limit: int) -> bytes:
    """Return the payload for an invocation whose answer had more than `limit` bytes."""
    message = f"Response payload size exceeded maximum allowed payload size ({limit} bytes)."
    return error_payload(RESPONSE_TOO_LARGE, message)
