"""Load in bulk: no invocation is followed, but how many come, run and are refused between two ticks is worked out.

That is exact where it matters. The router finds a free slot wherever there is one, so the slots of a version are one
loss system, and the share of refusals in it is Erlang's B formula, whatever the distribution of the times. How evenly
the router spreads invocations is not worked out but measured: now and then, for one function in turn, all that is in
flight and some thousand further arrivals are routed by the real router over the function's real environments.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from typing import TYPE_CHECKING

from polylambda.plane.router import Cause, Route

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

    from polylambda.plane.facts import EnvironmentFacts
    from polylambda.plane.router import Router
    from polylambda.plane.simulation.agenda import Agenda
    from polylambda.plane.simulation.functions import Function

_PROBE_EVERY = 300.0  # virtual seconds between two looks at the router
_PROBE = 2000  # further arrivals of a look


class Flow:
    """Works out what happens between two ticks.

    Args:
        agenda: the clock.
        router: knows every environment that is Ready, and routes samples.
        functions: that are invoked.
        rng: draws noise and samples.
        stopped: to be called when an environment that drains is idle.

    Attributes:
        invocations: that came, by function.
        throttles: by function and cause.
        losses: invocations in environments that died.
        moved: always 0: refusals are not followed.
        routed: invocations that the real router was given.
        unrouted: those of them that it refused.
        expected: how many it should have refused, by Erlang's formula.
        uneven: the largest share of its slots that any environment had in use at the end of a sample, less the mean.
    """

    def __init__(
        self,
        agenda: Agenda,
        router: Router,
        functions: Sequence[Function],
        *,
        rng: Random,
        stopped: Callable[[str], None],
    ) -> None:
        self.invocations: Counter[str] = Counter()
        self.throttles: dict[str, Counter[Cause]] = {each.facts.id: Counter() for each in functions}
        self.losses = 0
        self.moved = 0
        self.routed = 0
        self.unrouted = 0
        self.expected = 0.0
        self.uneven: list[float] = []
        self._agenda = agenda
        self._router = router
        self._rng = rng
        self._stopped = stopped
        self._functions = {each.facts.id: each for each in functions}
        self._ready: dict[str, dict[str, EnvironmentFacts]] = {name: {} for name in self._functions}
        self._turns = deque(functions)
        self._began = self._measured_at = agenda.now
        self._probed_at = agenda.now

    def ready(self, environment: EnvironmentFacts, zone: str) -> None:
        """Use an environment from now on."""
        self._ready[environment.version][environment.id] = environment
        limit = self._functions[environment.version].facts.slots
        self._router.add(environment.version, environment.id, zone=zone, limit=limit)

    def drain(self, environment: EnvironmentFacts) -> None:
        """Give an environment nothing more."""
        self._forget(environment)
        self._agenda.after(self._functions[environment.version].seconds, self._stopped, environment.id)

    def died(self, environment: EnvironmentFacts) -> None:
        """Lose what runs in an environment. Until the plane knows, others are asked after it, so none is refused."""
        if self._ready[environment.version].pop(environment.id, None) is not None:
            function = self._functions[environment.version]
            self.losses += round(environment.slots_in_use * function.facts.slots)
            environment.cpu = environment.slots_in_use = 0.0

    def lost(self, environment: EnvironmentFacts) -> None:
        """Take an environment off the router."""
        self.died(environment)
        self._forget(environment)

    def measure(self) -> dict[str, int]:
        """Write loads into the facts and return the refusals since the last time, by function."""
        now = self._agenda.now
        span = now - self._measured_at
        self._measured_at = now
        refusals: dict[str, int] = {}
        if span <= 0:
            return refusals
        for name, function in self._functions.items():
            refused = self._pass_time(function, now - span / 2, span)
            if refused:
                refusals[name] = refused
        if now - self._probed_at >= _PROBE_EVERY and now > 0:
            self._probed_at = now
            self._turns.rotate(-1)
            self._probe(self._turns[0])
        return refusals

    def _pass_time(self, function: Function, at: float, span: float) -> int:
        """Let a function's invocations of one tick happen; return how many were refused."""
        facts = function.facts
        ready = self._ready[facts.id]
        # Before the beginning it swells to its first rate.
        mean = (function.rate(at) if at >= 0 else function.rate(0.0) * (1 - at / self._began)) * span
        came = max(0, round(self._rng.gauss(mean, math.sqrt(mean)))) if mean > 20 else _poisson(self._rng, mean)
        if at >= 0:
            self.invocations[facts.id] += came
        offered = came / span * function.seconds
        slots = len(ready) * facts.slots
        by_slots = loss(offered, slots)
        vcpus = offered * function.cpu / function.seconds
        by_cpu = max(0.0, 1 - len(ready) * facts.vcpus / vcpus) if vcpus else 0.0
        refused = round(came * max(by_slots, by_cpu))
        if refused and at >= 0:
            self.throttles[facts.id][Cause.CPU if by_cpu > by_slots else Cause.CONCURRENCY] += refused
        if ready:
            taken = 1 - refused / came if came else 0.0
            in_use, cpu = offered * taken / slots, vcpus * taken / len(ready) / facts.vcpus
            for environment in ready.values():
                environment.slots_in_use = in_use
                environment.cpu = cpu
        return refused

    def _forget(self, environment: EnvironmentFacts) -> None:
        self._router.remove(environment.id)
        self._ready[environment.version].pop(environment.id, None)

    def _probe(self, function: Function) -> None:
        """Route what is in flight, then further arrivals as others end; compare, and end all."""
        facts = function.facts
        slots = len(self._ready[facts.id]) * facts.slots
        offered = function.rate(self._agenda.now) * function.seconds
        if not slots or offered <= 0:
            return
        route, random = self._router.route, self._rng.random
        running = [
            each for each in (route(facts.id) for _ in range(min(round(offered), slots))) if isinstance(each, Route)
        ]
        refused = 0
        for _ in range(_PROBE):
            # The time to the next arrival is exponential, and so are the times that are left of what runs.
            while running and random() * (offered + len(running)) >= offered:
                index = int(random() * len(running))
                running[index], running[-1] = running[-1], running[index]
                running.pop().done()
            each = route(facts.id)
            if isinstance(each, Route):
                running.append(each)
            else:
                refused += 1
        self.routed += _PROBE
        self.unrouted += refused
        self.expected += _PROBE * loss(offered, slots)
        shares = [self._router.in_flight(name) / facts.slots for name in self._ready[facts.id]]
        self.uneven.append(max(shares) - sum(shares) / len(shares))
        for each in running:
            each.done()


def loss(offered: float, slots: int) -> float:
    """Return the share of invocations that find no slot, by Erlang's B formula; `offered` is their rate times their time."""
    if slots == 0:
        return 1.0 if offered > 0 else 0.0
    if offered < slots - 8 * math.sqrt(slots) or offered <= 0:
        return 0.0
    if offered > slots + 100 * math.sqrt(slots):
        return 1 - slots / offered
    inverse = 1.0
    for number in range(1, slots + 1):
        inverse = 1 + inverse * number / offered
        if inverse > 1e12:
            return 0.0
    return 1 / inverse


def _poisson(rng: Random, mean: float) -> int:
    count, left = 0, rng.expovariate(1.0) if mean > 0 else math.inf
    while left < mean:
        count += 1
        left += rng.expovariate(1.0)
    return count
