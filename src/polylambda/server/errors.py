"""The exceptions of the Runtime API server.

PolylambdaError
    InvocationRefused       this environment cannot take the invocation; another one, or a later try, may
        QueueFull           as many invocations wait as may: back off, tell the caller 429
        BrokerClosed        the environment is gone
        DuplicateRequestId  an invocation with this id is under way here
    InvalidInvocation       the invocation's metadata cannot be sent in a header: correct it
    Refusal                 the runtime's request is answered with an error; `status` and AWS's `error_type`
    IllegalStep             a defect of ours: an invocation went through a transition that does not exist
    CannotStart             the address cannot be bound, or the command cannot be run
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from polylambda.errors import PolylambdaError

if TYPE_CHECKING:
    from collections.abc import Mapping


class InvocationRefused(PolylambdaError):
    """The invocation was not accepted, and the runtime never saw it."""


class QueueFull(InvocationRefused):
    """As many invocations wait for the runtime as the broker's `queue_limit` allows."""


class BrokerClosed(InvocationRefused):
    """The broker was closed before the runtime took the invocation."""


class DuplicateRequestId(InvocationRefused):
    """An invocation with the same request id is waiting or running: one environment runs an id once at a time."""


class InvalidInvocation(PolylambdaError):
    """A piece of the invocation's metadata cannot travel in an HTTP header."""


class Refusal(PolylambdaError):
    """A request of the runtime that is answered with an error.

    Attributes:
        status: HTTP status.
        error_type: AWS's name, such as `InvalidRequestID`.
        message: text for `errorMessage`.
        headers: further headers of the reply.
        fatal: the rest of the request is not worth reading: answer at once and close the connection.
    """

    def __init__(
        self,
        status: int,
        error_type: str,
        message: str,
        *,
        headers: Mapping[str, str] | None = None,
        fatal: bool = False,
    ) -> None:
        super().__init__(status, error_type, message)
        self.status = status
        self.error_type = error_type
        self.message = message
        self.headers = headers or {}
        self.fatal = fatal

    def __str__(self) -> str:
        return f"{self.status} {self.error_type}: {self.message}"


class IllegalStep(PolylambdaError):
    """An invocation was to go from a state to one that cannot follow it."""


class CannotStart(PolylambdaError):
    """The server's address could not be bound, or the runtime's command could not be run."""
