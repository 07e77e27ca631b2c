"""What became of the invocations of a load: counts, latencies, and how the fleet moved meanwhile. No I/O, no clock."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Verdict(Enum):
    """What became of one invocation."""

    ANSWERED = "answered"
    FAILED = "function errors"
    THROTTLED = "throttled"
    REFUSED = "refused"
    LOST = "without an answer"
    UNSENT = "not sent: too many were under way"


@dataclass(frozen=True, slots=True)
class FleetView:
    """What a fleet does for one function.

    Attributes:
        instances: of the function's capacity provider, those on their way up among them.
        ready: environments that take invocations.
        wanted: environments that the scaler wants.
        in_flight: invocations under way.
        throttles: refusals by cause, since the plane began.
    """

    instances: int
    ready: int
    wanted: int
    in_flight: int
    throttles: Mapping[str, int]


def view_of(snapshot: Mapping[str, Any], function: str, qualifier: str | None = None) -> FleetView | None:
    """Return what a fleet snapshot says of a function; None when it does not know the function.

    A qualifier that names no version, such as an alias, means all versions of the function.
    """
    every = [version for version in snapshot["versions"] if version["function"] == function]
    versions = [version for version in every if version["qualifier"] == (qualifier or "$LATEST.PUBLISHED")] or every
    if not versions:
        return None
    throttles: Counter[str] = Counter()
    for version in versions:
        throttles.update(version["throttles"])
    providers = {version["provider"] for version in versions}
    return FleetView(
        instances=sum(
            instance["provider"] in providers and instance["state"] in ("Pending", "Running")
            for instance in snapshot["instances"]
        ),
        ready=sum(version["ready"] for version in versions),
        wanted=sum(version["wanted"] for version in versions),
        in_flight=sum(version["in_flight"] for version in versions),
        throttles=throttles,
    )


@dataclass(frozen=True, slots=True)
class Row:
    """A stretch of a load.

    Attributes:
        at: seconds from the start of the load to the end of the stretch.
        due: invocations a second that were due.
        answered: that were answered, a second.
        p50: milliseconds that half of those took at most; None: none was answered.
        p99: likewise, for 99 of 100.
        throttled: invocations that the plane refused.
        failed: that ended badly in any other way.
        fleet: what the plane had for the function at the end.
    """

    at: float
    due: float
    answered: float
    p50: float | None
    p99: float | None
    throttled: int
    failed: int
    fleet: FleetView | None


@dataclass(slots=True)
class Tally:
    """Counts.

    Attributes:
        counts: invocations by what became of them.
        details: what was said of those that were not answered.
        latencies: milliseconds of those that were, in the order in which they came.
        rows: the stretches that were closed.
    """

    counts: Counter[Verdict] = field(default_factory=Counter[Verdict])
    details: Counter[str] = field(default_factory=Counter[str])
    latencies: array[float] = field(default_factory=lambda: array("d"))
    rows: list[Row] = field(default_factory=list[Row])
    _since: float = 0.0
    _before: Counter[Verdict] = field(default_factory=Counter[Verdict])
    _measured: int = 0
    _due: int = 0

    def due(self) -> None:
        """Count an invocation as due."""
        self._due += 1

    def add(self, verdict: Verdict, milliseconds: float, detail: str = "") -> None:
        """Count what became of an invocation, `milliseconds` after it was due."""
        self.counts[verdict] += 1
        if verdict is Verdict.ANSWERED:
            self.latencies.append(milliseconds)
        elif detail:
            self.details[detail] += 1

    def close_row(self, at: float, fleet: FleetView | None) -> Row:
        """End a stretch at `at` seconds from the start, and return it."""
        length = max(at - self._since, 1e-9)
        now = self.counts - self._before
        recent = sorted(self.latencies[self._measured :])
        bad = (Verdict.FAILED, Verdict.REFUSED, Verdict.LOST, Verdict.UNSENT)
        row = Row(
            at=at,
            due=self._due / length,
            answered=now[Verdict.ANSWERED] / length,
            p50=percentile(recent, 50),
            p99=percentile(recent, 99),
            throttled=now[Verdict.THROTTLED],
            failed=sum(now[verdict] for verdict in bad),
            fleet=fleet,
        )
        self.rows.append(row)
        self._since, self._before, self._measured, self._due = at, self.counts.copy(), len(self.latencies), 0
        return row

    @property
    def total(self) -> int:
        """Invocations that are over."""
        return self.counts.total()

    @property
    def throttles(self) -> dict[str, int]:
        """Refusals by cause between the first row and the last, as the plane counts them."""
        views = [row.fleet for row in self.rows if row.fleet is not None]
        if not views:
            return {}
        before, after = views[0].throttles, views[-1].throttles
        grown = {cause: count - before.get(cause, 0) for cause, count in after.items()}
        return {cause: count for cause, count in grown.items() if count > 0}

    def moves(self, what: str) -> list[tuple[float, int]]:
        """Return when an attribute of `FleetView` had which value, without repetitions: `[(0.0, 3), (12.0, 5)]`."""
        found: list[tuple[float, int]] = []
        for row in self.rows:
            if row.fleet is not None and (not found or found[-1][1] != getattr(row.fleet, what)):
                found.append((row.at, getattr(row.fleet, what)))
        return found


def percentile(ordered: Sequence[float], share: float) -> float | None:
    """Return the nearest-rank percentile of values in rising order: one that was measured, not one in between."""
    if not ordered:
        return None
    return ordered[max(0, math.ceil(share / 100 * len(ordered)) - 1)]
