"""How many environments a version wants, from its load. No I/O and no clock."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The numbers by which a fleet is scaled. Times are seconds of plane time, shares are 0 to 1.

    Attributes:
        tick: how often `Scaler.tick` is meant to be called.
        stable_window: over which the load is averaged.
        surge_window: the same when traffic surges.
        cpu_target: share of an environment's vCPUs to aim at, where the capacity provider does not say.
        slot_target: share of an environment's slots to aim at.
        surge: a wish of so many times what there is makes a surge; so does a refusal.
        growth: a tick asks for at most so many times what is Ready.
        memory: what was wished in this time holds back scaling in.
        shrink: share of the environments that may go in a minute (one at least).
        slack: scaling in leaves so much more than is wished, so that noise does not undo it.
        spread: so many environments of a version are on instances of their own.
        room: an instance is launched on which at least so many of the environments fit that need it.
        empty: an instance without environments ends after so long.
        max_age: an instance is replaced when it is as old.
        leaving: share of a provider's instances that may be emptied at a time, by age or to save them (one at least).
        first_retry: pause after a start or launch that failed; doubles with each further one.
        last_retry: longest such pause.
    """

    tick: float = 2.0
    stable_window: float = 60.0
    surge_window: float = 6.0
    cpu_target: float = 0.5
    slot_target: float = 0.5
    surge: float = 1.5
    growth: float = 2.0
    memory: float = 300.0
    shrink: float = 0.1
    slack: float = 0.1
    spread: int = 3
    room: int = 2
    empty: float = 300.0
    max_age: float = 14 * 86400.0
    leaving: float = 0.02
    first_retry: float = 4.0
    last_retry: float = 300.0


_MINUTE = 60.0


class Demand:
    """The demand for one version's environments: what its load was lately, and what follows from it.

    Args:
        policy: the numbers.
        wanted: environments to begin with.
    """

    def __init__(self, policy: Policy, wanted: int) -> None:
        self.wanted = wanted
        self._policy = policy
        self._at = -math.inf
        self._samples: deque[tuple[float, float, float, float]] = deque()  # time, seconds, load of CPU, of slots
        self._wishes: deque[tuple[float, int]] = deque()  # time and wish; falling: the first is the largest
        self._surged_at = -math.inf
        self._shrunk_at = -math.inf

    def surging(self, now: float) -> bool:
        """Say whether there was a surge within the last stable window."""
        return now - self._surged_at < self._policy.stable_window

    def observe(
        self, now: float, *, ready: int, cpu: float, slots: float, refusals: int, cpu_target: float | None = None
    ) -> None:
        """Note what was measured since the last time, and change `wanted` accordingly.

        Args:
            now: seconds of plane time.
            ready: environments that are Ready.
            cpu: what they used of their vCPUs, in environments: the sum of their shares.
            slots: what they used of their slots, likewise.
            refusals: invocations that nobody could take.
            cpu_target: share of CPU to aim at; None: the policy's.
        """
        policy = self._policy
        self._note(now, cpu, slots)
        target = max(cpu_target or policy.cpu_target, 0.01)
        steady = self._load(now - policy.stable_window, target)
        recent = self._load(now - policy.surge_window, target)
        if refusals:
            # Whoever was refused is in no measure, and a window of several ticks would hide a load that began just now.
            recent = max(recent, self._load(now - policy.tick / 2, target), ready + 1.0)
        if refusals or recent >= max(policy.surge * ready, ready + 1):
            self._surged_at = now
        load = max(steady, recent) if self.surging(now) else steady
        # What was not Ready yet could not show what it will take off the others: it is given time to.
        bound = max(self.wanted, math.ceil(policy.growth * max(ready, 1)))
        self._remember(now, min(_whole(load * (1 + policy.slack)), bound))
        wish = min(_whole(load), bound)
        if wish >= self.wanted:
            self.wanted = wish
        elif not self.surging(now):
            self._shrink(now)

    def clamp(self, minimum: int, maximum: int | None) -> None:
        """Keep `wanted` between two numbers."""
        self.wanted = max(self.wanted, minimum)
        if maximum is not None:
            self.wanted = min(self.wanted, maximum)

    def _note(self, now: float, cpu: float, slots: float) -> None:
        seconds = min(now - self._at, self._policy.stable_window) if self._samples else self._policy.tick
        self._at = now
        self._samples.append((now, seconds, cpu, slots))
        while self._samples[0][0] <= now - self._policy.stable_window:
            self._samples.popleft()

    def _load(self, since: float, cpu_target: float) -> float:
        """Return the environments that would have the mean load since then at their targets."""
        total = all_cpu = all_slots = 0.0
        for at, seconds, cpu, slots in reversed(self._samples):
            if at <= since:
                break
            total += seconds
            all_cpu += cpu * seconds
            all_slots += slots * seconds
        return max(all_cpu / cpu_target, all_slots / self._policy.slot_target) / total if total else 0.0

    def _remember(self, now: float, wish: int) -> None:
        wishes = self._wishes
        while wishes and wishes[-1][1] <= wish:
            wishes.pop()
        wishes.append((now, wish))
        while wishes[0][0] <= now - self._policy.memory:
            wishes.popleft()

    def _shrink(self, now: float) -> None:
        excess = self.wanted - self._wishes[0][1]
        if excess > 0 and now - self._shrunk_at >= _MINUTE:
            self.wanted -= min(excess, max(1, int(self.wanted * self._policy.shrink)))
            self._shrunk_at = now


def _whole(load: float) -> int:
    return math.ceil(load - 1e-6)
