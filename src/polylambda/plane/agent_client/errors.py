"""Why an agent did not do what it was asked for.

PolylambdaError
    Refused     the environment cannot take the invocation, and its runtime has not seen it: another one may
    AgentLost   the agent is gone, or was when it was asked
    AgentError  the agent says that the request is wrong
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from polylambda.errors import PolylambdaError

if TYPE_CHECKING:
    from polylambda.plane.router import Cause


class Refused(PolylambdaError):
    """The environment does not take the invocation; its runtime has not seen it, so that another may have it.

    Attributes:
        cause: what there was too little of.
    """

    def __init__(self, cause: Cause, message: str) -> None:
        super().__init__(message)
        self.cause = cause


class AgentLost(PolylambdaError):
    """The agent cannot be reached, or broke off.

    Attributes:
        delivered: the invocation may have reached the runtime: it must not be given to another one.
    """

    def __init__(self, message: str, *, delivered: bool) -> None:
        super().__init__(message)
        self.delivered = delivered


class AgentError(PolylambdaError):
    """The agent does not accept the request.

    Attributes:
        status: HTTP status of its reply.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
