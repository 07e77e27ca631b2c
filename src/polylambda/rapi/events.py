"""What comes in from the Runtime API: an event to handle, or the platform's reply to what it was sent."""

from __future__ import annotations

from polylambda.errors import Refused
from polylambda.rapi import headers as names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

# What a reply is the reply to.
POLL: Final = "poll"
ANSWER: Final = "answer"
CALL: Final = "call"

_new = object.__new__  # as every class has it; found a little quicker


class Invocation:
    """One event with its metadata, as `next` delivered it. An empty text is an absent value."""

    __slots__ = (
        "client_context",
        "cognito_identity",
        "content_type",
        "deadline_ms",
        "function_arn",
        "invocation_id",
        "payload",
        "request_id",
        "tenant_id",
        "trace_id",
    )

    def __init__(self, payload: bytes, headers: dict[str, str]) -> None:
        get = headers.get
        self.payload = payload
        self.request_id = get(names.REQUEST_ID, "")
        self.invocation_id = get(names.INVOCATION_ID, "")
        self.deadline_ms = get(names.DEADLINE_MS, "")
        self.function_arn = get(names.FUNCTION_ARN, "")
        self.trace_id = get(names.TRACE_ID, "")
        self.content_type = get("content-type", "")
        self.tenant_id = get(names.TENANT_ID, "")
        self.client_context = get(names.CLIENT_CONTEXT, "")
        self.cognito_identity = get(names.COGNITO_IDENTITY, "")

    def like(self, request_id: str, invocation_id: str, deadline_ms: str, trace_id: str) -> Invocation:
        """Return another invocation that differs in these, and has no payload yet."""
        other = _new(Invocation)
        other.payload = b""
        other.request_id = request_id
        other.invocation_id = invocation_id
        other.deadline_ms = deadline_ms
        other.function_arn = self.function_arn
        other.trace_id = trace_id
        other.content_type = self.content_type
        other.tenant_id = self.tenant_id
        other.client_context = self.client_context
        other.cognito_identity = self.cognito_identity
        return other

    def __repr__(self) -> str:
        return f"<Invocation {self.request_id} with {len(self.payload)} bytes of {self.content_type}>"


class Reply:
    """The platform's reply to anything but a successful poll.

    Attributes:
        to: what it replies to: POLL, ANSWER or CALL.
        status: HTTP status; 202 is the usual success.
        headers: names in lower case.
        body: bytes, mostly JSON.
    """

    __slots__ = ("body", "headers", "status", "to")

    def __init__(self, to: str, status: int, headers: dict[str, str], body: bytes) -> None:
        self.to = to
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def accepted(self) -> bool:
        """The platform took what was sent."""
        return 200 <= self.status < 300

    def reason(self) -> tuple[str, str]:
        """Return `errorType` and `errorMessage` of a refusal; text of the body when it is not AWS's JSON."""
        import json

        try:
            fields = json.loads(self.body)
            return str(fields["errorType"]), str(fields["errorMessage"])
        except (ValueError, KeyError, TypeError, RecursionError):
            return "", self.body[:200].decode(errors="replace")

    def refusal(self) -> Refused:
        """Return the error that this reply is."""
        return Refused(self.status, *self.reason())

    def __repr__(self) -> str:
        return f"<Reply {self.status} to {self.to}>"
