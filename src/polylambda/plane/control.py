"""What AWS's API needs from the running plane: the `Control` that the plane is and that tests replace."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from polylambda.errors import PolylambdaError

if TYPE_CHECKING:
    from polylambda.plane.records import VersionRecord
    from polylambda.plane.router import Cause
    from polylambda.plane.states import ProviderState, VersionState
    from polylambda.server.invocation import Invocation
    from polylambda.server.response import Response


@dataclass(frozen=True, slots=True)
class VersionStatus:
    """How far a version is.

    Attributes:
        state: in AWS's words.
        reason: a sentence for `StateReason`; empty when there is nothing to say.
        reason_code: AWS's `StateReasonCode`; empty likewise.
    """

    state: VersionState
    reason: str = ""
    reason_code: str = ""


class Throttled(PolylambdaError):
    """No environment could take the invocation, and no runtime has seen it: the caller is told 429."""

    def __init__(self, cause: Cause) -> None:
        super().__init__(cause)
        self.cause = cause

    def __str__(self) -> str:
        return f"no environment could take the invocation: {self.cause.value}"


class NotActive(PolylambdaError):
    """The version takes no invocations in the state that it is in."""

    def __init__(self, status: VersionStatus) -> None:
        super().__init__(status)
        self.status = status

    def __str__(self) -> str:
        reason = f" ({self.status.reason})" if self.status.reason else ""
        return f"the version is {self.status.state.value}{reason}"


class Control(Protocol):
    """The running plane, as AWS's API sees it. Versions are named by `VersionRecord.arn`."""

    def provider_state(self, name: str) -> ProviderState:
        """Return how far the capacity provider is."""
        ...

    def version_status(self, arn: str) -> VersionStatus:
        """Return how far the version is; a version that the store has just got is Pending."""
        ...

    def applied_scaling(self, arn: str) -> tuple[int, int | None] | None:
        """Return the minimum and maximum of environments that the fleet has converged to; None: to none yet."""
        ...

    def wanted_changed(self) -> None:
        """Take note that the store changed: what is, is to be brought to what is wanted soon."""
        ...

    async def invoke(self, version: VersionRecord, invocation: Invocation, *, tail: bool = False) -> Response:
        """Run `invocation`; return when the head of the response is known.

        With `tail` the response has, after its end, the end of the invocation's log as base64 text in `log_tail`.

        Raises:
            Throttled: nobody could take it.
            NotActive: the version takes no invocations.
        """
        ...

    def enqueue(self, version: VersionRecord, qualifier: str | None, invocation: Invocation) -> None:
        """Keep `invocation` for later, safely; `qualifier` is the caller's, which chooses the event-invoke config."""
        ...
