"""How one environment does: what it uses of its CPU, memory and disk, and whether it is too hot to take more. No I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polylambda.plane.router import Cause

if TYPE_CHECKING:
    from collections.abc import Callable

HOT_CPU = 0.95  # share of its vCPUs ...
HOT_CPU_TIMES = 3  # ... in so many measures in a row
HOT_SHARE = 0.90  # of its memory, and of its /tmp
COOL = 0.05  # below each of these by that much it is cool again


class Gauge:
    """Collect measures of one environment.

    Attributes:
        cpu: share of its vCPUs, 0 to 1, at the last measure.
        memory: MiB, at the last measure.
        hot: why it should take no more invocations; None: it may.
    """

    def __init__(self, *, cores: float, memory: float, tmp: float, clock: Callable[[], float]) -> None:
        """Begin; `cores`, `memory` and `tmp` (MiB) are what it is given, `clock` tells seconds."""
        self.cpu = 0.0
        self.memory = 0.0
        self.hot: Cause | None = None
        self._cores = cores
        self._limit = memory
        self._tmp_limit = tmp
        self._clock = clock
        self._cpu_seconds = 0.0
        self._measured_at = clock()
        self._hot_for = 0
        self._tmp = 0.0
        self._held = 0
        self._held_seconds = 0.0
        self._held_since = self._measured_at
        self._counted_from = self._measured_at

    def enter(self) -> None:
        """Count an invocation that begins."""
        self._sum_up()
        self._held += 1

    def leave(self) -> None:
        """Count an invocation that ended."""
        self._sum_up()
        self._held -= 1

    def mean_in_use(self) -> float:
        """Return how many invocations it held, on average since this was asked the last time."""
        self._sum_up()
        now = self._held_since
        elapsed = now - self._counted_from
        mean = self._held_seconds / elapsed if elapsed > 0 else float(self._held)
        self._held_seconds = 0.0
        self._counted_from = now
        return mean

    def measure(self, cpu_seconds: float, memory: float) -> None:
        """Take what its processes have used: CPU seconds since they began, and MiB now."""
        now = self._clock()
        elapsed = now - self._measured_at
        if elapsed > 0:
            # A process that died unreaped takes its seconds with it.
            self.cpu = min(1.0, max(0.0, cpu_seconds - self._cpu_seconds) / elapsed / self._cores)
        self._cpu_seconds = cpu_seconds
        self._measured_at = now
        self.memory = memory
        self._judge()

    def measure_tmp(self, size: float) -> None:
        """Take what is in its /tmp: MiB."""
        self._tmp = size

    @property
    def over_memory(self) -> bool:
        """Whether it has more memory than it may have."""
        return self.memory > self._limit

    def _judge(self) -> None:
        slack = {cause: COOL if self.hot is cause else 0.0 for cause in Cause}
        self._hot_for = self._hot_for + 1 if self.cpu >= HOT_CPU - slack[Cause.CPU] else 0
        if self.memory >= (HOT_SHARE - slack[Cause.MEMORY]) * self._limit:
            self.hot = Cause.MEMORY
        elif self._tmp >= (HOT_SHARE - slack[Cause.DISK]) * self._tmp_limit:
            self.hot = Cause.DISK
        elif self._hot_for >= HOT_CPU_TIMES:
            self.hot = Cause.CPU
        else:
            self.hot = None

    def _sum_up(self) -> None:
        now = self._clock()
        self._held_seconds += self._held * (now - self._held_since)
        self._held_since = now
