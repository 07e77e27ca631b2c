"""Plane time: seconds that pass as fast as `--time-scale` says, so that hours of policy fit into a demonstration."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Clock:
    """Tells plane time, and converts it. Only policies follow it: a function's own time is always real.

    Attributes:
        scale: plane seconds in a real second.
    """

    def __init__(self, scale: float = 1.0, *, source: Callable[[], float] = time.monotonic) -> None:
        """Begin at zero; `source` gives real seconds that never go backwards."""
        self.scale = scale
        self._source = source
        self._origin = source()

    def now(self) -> float:
        """Return plane seconds since this clock was made."""
        return (self._source() - self._origin) * self.scale

    def real(self, plane_seconds: float) -> float:
        """Return how many real seconds `plane_seconds` take."""
        return plane_seconds / self.scale

    def plane(self, real_seconds: float) -> float:
        """Return how many plane seconds pass in `real_seconds`."""
        return real_seconds * self.scale


def timestamp(seconds: float | None = None) -> str:
    """Return a Unix time, by default the present one, as AWS writes it in logs: UTC with milliseconds."""
    moment = datetime.now(UTC) if seconds is None else datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"
