"""Errors of AWS's Lambda API, in the shape that its SDKs read."""

from __future__ import annotations

import json

from polylambda.errors import PolylambdaError
from polylambda.local.answers import Answer, Head
from polylambda.rapi.headers import JSON

# In AWS's model these two spell the member with a capital, the others do not.
_CAPITAL = frozenset({"ResourceNotFoundException", "ServiceException"})


class ApiError(PolylambdaError):
    """A request to the Lambda API that is answered with an error; `name` is the exception that an SDK raises for it.

    See https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html#API_Invoke_Errors.
    """

    def __init__(self, status: int, name: str, message: str, **members: str) -> None:
        super().__init__(status, name, message)
        self.status = status
        self.name = name
        self.message = message
        self.message_member = "Message" if name in _CAPITAL else "message"
        self.members = members

    def __str__(self) -> str:
        return f"{self.name}: {self.message}"

    def answer(self) -> Answer:
        """Return the HTTP response that tells it."""
        kind = "User" if self.status < 500 else "Service"
        headers = [(b"content-type", JSON.encode()), (b"x-amzn-errortype", self.name.encode())]
        if self.status == 429:
            headers.append((b"retry-after", b"1"))
        return Answer(
            head=Head(status=self.status, headers=tuple(headers)),
            body=json.dumps({"Type": kind, self.message_member: self.message, **self.members}).encode(),
        )


def throttled() -> ApiError:
    """Return the error for a caller who comes when as many invocations wait as may."""
    return ApiError(
        429, "TooManyRequestsException", "Rate Exceeded.", Reason="ConcurrentInvocationLimitExceeded"
    )  # fmt: skip
