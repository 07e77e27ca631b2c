"""An invocation and the life it leads in an environment: data and a table, no I/O and no clock.

QUEUED --> DELIVERED --> ANSWERING --> SUCCEEDED
  ^            |             |
  +------------+             +-------> TRUNCATED
(the poll proved dead)
from DELIVERED and ANSWERING: ERRORED, TIMED_OUT; from all three: FAILED; from QUEUED: DROPPED (the caller left)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from random import getrandbits

from polylambda.rapi import headers as names
from polylambda.server.errors import IllegalStep

DEFAULT_ARN = "arn:aws:lambda:us-east-1:123456789012:function:function"


_VERSION_4 = 0x4000_8000000000000000  # of RFC 9562: the version's and the variant's bits
_RANDOM_BITS = 0xFFFFFFFFFFFF_0FFF_3FFFFFFFFFFFFFFF


def new_id() -> str:
    """Make up an id. `uuid4` does the same at several times the price, and asks the system each time."""
    digits = f"{getrandbits(128) & _RANDOM_BITS | _VERSION_4:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """One event with its metadata. An empty text is an absent value.

    Attributes:
        payload: the event, as the handler is to get it.
        content_type: of the payload; runtimes parse only `application/json`.
        request_id: id of the event; the same for every retry.
        timeout: seconds that the runtime has from the moment it receives the event.
        invoked_function_arn: ARN that the caller used: function, version or alias.
        trace_id: X-Ray header; made up, and not sampled, when empty.
        client_context: JSON text, not base64.
        identity: JSON text with `cognitoIdentityId` and `cognitoIdentityPoolId`.
        tenant_id: tenant of a function with tenant isolation.
    """

    payload: bytes
    content_type: str = names.JSON
    request_id: str = field(default_factory=new_id)
    timeout: float = 3.0
    invoked_function_arn: str = DEFAULT_ARN
    trace_id: str = ""
    client_context: str = ""
    identity: str = ""
    tenant_id: str = ""


class Outcome(Enum):
    """What became of an invocation, as its caller sees it."""

    PENDING = "pending"
    SUCCESS = "success"
    ERROR = "error"  # the function returned an error, or an answer that the platform does not accept
    TIMEOUT = "timeout"
    FAILURE = "failure"  # the runtime died, or could not start
    TRUNCATED = "truncated"  # the connection broke in the middle of the answer


class State(Enum):
    """Where an invocation is."""

    QUEUED = "queued"
    DELIVERED = "delivered"
    ANSWERING = "answering"
    SUCCEEDED = "succeeded"
    ERRORED = "errored"
    TIMED_OUT = "timed out"
    FAILED = "failed"
    TRUNCATED = "truncated"
    DROPPED = "dropped"

    # Enum's own hash is a Python function, and the tables below are looked into several times an invocation.
    __hash__ = object.__hash__


STEPS: dict[State, frozenset[State]] = {
    State.QUEUED: frozenset({State.DELIVERED, State.FAILED, State.DROPPED}),
    State.DELIVERED: frozenset({State.QUEUED, State.ANSWERING, State.ERRORED, State.TIMED_OUT, State.FAILED}),
    State.ANSWERING: frozenset(
        {State.SUCCEEDED, State.ERRORED, State.TIMED_OUT, State.FAILED, State.TRUNCATED},
    ),
    State.SUCCEEDED: frozenset(),
    State.ERRORED: frozenset(),
    State.TIMED_OUT: frozenset(),
    State.FAILED: frozenset(),
    State.TRUNCATED: frozenset(),
    State.DROPPED: frozenset(),
}
"""The legal transitions; a state that none leaves is an end."""

OUTCOMES: dict[State, Outcome] = {
    State.SUCCEEDED: Outcome.SUCCESS,
    State.ERRORED: Outcome.ERROR,
    State.TIMED_OUT: Outcome.TIMEOUT,
    State.FAILED: Outcome.FAILURE,
    State.TRUNCATED: Outcome.TRUNCATED,
}
"""What the caller is told of the ends; nobody is left to be told of DROPPED."""


def check_step(request_id: str, before: State, after: State) -> None:
    """Refuse a transition that the table does not have.

    Raises:
        IllegalStep: there is no such transition.
    """
    if after not in STEPS[before]:
        raise IllegalStep(f"invocation {request_id} cannot go from {before.value} to {after.value}")
