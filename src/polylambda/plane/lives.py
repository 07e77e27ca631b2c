"""How far versions and capacity providers are: what AWS's API says of them, out of what is wanted and what there is.

No I/O and no clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from polylambda.plane.control import VersionStatus
from polylambda.plane.fleet import Revision
from polylambda.plane.records import DEFAULT_MIN_ENVIRONMENTS, LATEST
from polylambda.plane.states import PROVIDER_STEPS, VERSION_STEPS, ProviderState, VersionState, step

if TYPE_CHECKING:
    from polylambda.plane.records import ProviderRecord, VersionRecord

TAKE_OVER = 0.8
"""Share of the old code's environments that the new code must have before it takes over: less would be overrun."""

PATIENCE = 20.0
"""Plane seconds that a new version may be without the room it needs before it counts as Failed."""

GIVING_UP = 3
"""A new version is Failed when so many times the environments that it needs failed to start, though some are Ready."""

_CREATING = ("The function is being created.", "Creating")
_REASON_CODES = {
    "Runtime.InvalidEntrypoint": "FunctionError.InvalidEntryPoint",
    "Runtime.InvalidWorkingDir": "FunctionError.InvalidWorkingDirectory",
    "Runtime.OutOfMemory": "FunctionError.InitResourceExhausted",
    "Sandbox.Timedout": "FunctionError.InitTimeout",
    "Runtime.InitTimeout": "FunctionError.InitTimeout",
}


@dataclass(frozen=True, slots=True)
class Observed:
    """What there is of a version.

    Attributes:
        ready: environments of its latest revision that are Ready.
        present: environments of all its revisions that have not ended.
        serving: environments of the revision that serves in its place that are Ready.
        blocked: why it cannot have as many as it should: AWS's StateReasonCode and a sentence; None: it can.
    """

    ready: int = 0
    present: int = 0
    serving: int = 0
    blocked: tuple[str, str] | None = None


class VersionLife:
    """A version of a function on its way from Pending to where it is wanted.

    Attributes:
        record: what is wanted.
        revision: the code and configuration that are wanted.
        serving: those that answer; behind `revision` while its environments are not ready yet. None: it cannot be invoked.
        state: in AWS's words.
        applied: minimum and maximum of environments that the fleet has converged to; None: to none yet.
    """

    def __init__(self, record: VersionRecord, *, patience: float = PATIENCE) -> None:
        """Begin with a version that is wanted, and of which nothing is there.

        Args:
            record: what is wanted.
            patience: plane seconds that it may be without the room it needs before it counts as Failed.
        """
        self.record = record
        self._patience = patience
        self.revision = Revision(record)
        self.serving: Revision | None = None
        self.state = VersionState.PENDING
        self.applied: tuple[int, int | None] | None = None
        self._reason, self._reason_code = _CREATING
        self._failed_inits = 0
        self._failure = ("", "")
        self._blocked_since: float | None = None

    @property
    def status(self) -> VersionStatus:
        """What AWS's API says of it."""
        return VersionStatus(self.state, self._reason, self._reason_code)

    @property
    def revisions(self) -> list[Revision]:
        """What is to have environments now: the latest, unless it failed, and the one that still serves in its place."""
        if self.state is VersionState.DELETING or not self.record.runs:
            return []
        wanted = [] if self.state is VersionState.FAILED else [self.revision]
        if self.serving is not None and self.serving.id != self.revision.id:
            wanted.append(self.serving)
        return wanted

    def scaling(self, revision: Revision, observed: Observed) -> tuple[int, int | None]:
        """Return the minimum and maximum of environments that `revision` is to have now.

        New code is brought up to the size of the old before it takes over. Where there is no room for both, the old makes
        some, down to one environment.
        """
        minimum, maximum = self.record.min_environments, self.record.max_environments
        if self.serving is None or self.serving.id == self.revision.id:
            return minimum, maximum
        if revision.id == self.revision.id:
            size = max(minimum, observed.serving)
            return (size if maximum is None else min(size, maximum)), maximum
        if observed.blocked is not None and self.state is VersionState.PENDING:
            maximum = max(1, observed.serving - 1)
        return (minimum if maximum is None else min(minimum, maximum)), maximum

    def init_failed(self, revision: Revision, error_type: str, reason: str) -> None:
        """Take note that the init of an environment failed."""
        if revision.id != self.revision.id:
            return
        self._failed_inits += 1
        self._failure = (error_type, reason or f"The runtime failed to start: {error_type}")
        if self.state is VersionState.PENDING:
            self._reason = f"{_CREATING[0]} The last environment that failed: {self._failure[1]}"

    def try_again(self) -> None:
        """Begin anew when it failed: what it failed for may be different now."""
        if self.state is VersionState.FAILED:
            self._begin()

    def want(self, record: VersionRecord) -> None:
        """Take what is wanted now."""
        before, self.record = self.record, record
        if record.deleting:
            self.serving = None
            self._become(VersionState.DELETING)
        elif record.qualifier == LATEST:
            self._become(VersionState.ACTIVE_NON_INVOCABLE)
        elif record.deactivated:
            self.serving = None
            self.revision = Revision(record)
            if self.state is not VersionState.DEACTIVATED:
                self._become(VersionState.DEACTIVATING, "The function version has no execution environments.")
        elif record.generation != before.generation or before.deactivated:
            self.revision = Revision(record)
            self._begin()
        elif self.state is VersionState.FAILED and record != before:
            self._begin()

    def observe(self, now: float, observed: Observed) -> None:
        """Take what there is at plane time `now`."""
        record = self.record
        if self.state is VersionState.DEACTIVATING and not observed.present:
            self._become(VersionState.DEACTIVATED, "The function version has no execution environments.")
            self.applied = (0, 0)
        elif self.state is VersionState.PENDING:
            self._observe_pending(now, observed)
        if self.state is VersionState.ACTIVE:
            fits = record.max_environments is None or observed.present <= record.max_environments
            if fits and observed.ready >= record.min_environments:
                self.applied = (record.min_environments, record.max_environments)

    def _observe_pending(self, now: float, observed: Observed) -> None:
        needed = max(1, min(DEFAULT_MIN_ENVIRONMENTS, self.record.min_environments))
        if observed.ready >= needed and (
            observed.blocked is not None or observed.ready >= TAKE_OVER * observed.serving
        ):
            self.serving = self.revision
            self._become(VersionState.ACTIVE)
            return
        # New code may need many: where most starts work it is not to fail for the few that do not.
        most = GIVING_UP * max(needed, observed.serving)
        if self._failed_inits >= (most if observed.ready else needed):
            error_type, reason = self._failure
            self._become(VersionState.FAILED, reason, reason_code(error_type))
            return
        if observed.blocked is None or observed.serving > 1:
            self._blocked_since = None
        elif self._blocked_since is None:
            self._blocked_since = now
        elif now - self._blocked_since >= self._patience:
            code, reason = observed.blocked
            self._become(VersionState.FAILED, reason, code)

    def _begin(self) -> None:
        self._failed_inits = 0
        self._blocked_since = None
        self._become(VersionState.PENDING, *_CREATING)

    def _become(self, state: VersionState, reason: str = "", code: str = "") -> None:
        if state is not self.state:
            self.state = step(VERSION_STEPS, f"version {self.record.arn}", self.state, state)
        self._reason, self._reason_code = reason, code


class ProviderLife:
    """A capacity provider on its way. It is Active before it has an instance: those come with the first version.

    Attributes:
        record: what is wanted.
        state: in AWS's words.
    """

    def __init__(self, record: ProviderRecord) -> None:
        """Begin with one that is wanted."""
        self.record = record
        self.state = ProviderState.PENDING

    def want(self, record: ProviderRecord, *, types: int) -> None:
        """Take what is wanted now; `types` instance types are what it may choose from."""
        self.record = record
        if record.deleting:
            self._become(ProviderState.DELETING)
        elif self.state is ProviderState.PENDING:
            self._become(ProviderState.ACTIVE if types else ProviderState.FAILED)

    def _become(self, state: ProviderState) -> None:
        if state is not self.state:
            self.state = step(PROVIDER_STEPS, f"capacity provider {self.record.name}", self.state, state)


def reason_code(error_type: str) -> str:
    """Return AWS's StateReasonCode for the error that an init ended with."""
    if error_type.startswith("Extension."):
        return "FunctionError.ExtensionInitError"
    return _REASON_CODES.get(error_type, "FunctionError.RuntimeInitError")
