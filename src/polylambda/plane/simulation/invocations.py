"""Load, invocation by invocation: each one is routed by the router, takes its time in an environment, and ends.

For fleets of up to some hundred environments. A function's CPU is spread evenly over its time; where more is wanted than
there is, what comes then takes as much longer.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from polylambda.plane.router import Cause, Route
from polylambda.plane.simulation.traffic import arrivals
from polylambda.plane.states import EnvironmentState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from random import Random

    from polylambda.plane.facts import EnvironmentFacts
    from polylambda.plane.router import Router
    from polylambda.plane.simulation.agenda import Agenda
    from polylambda.plane.simulation.functions import Function

_HOT = 0.95  # share of its vCPUs between two measures above which an environment refuses


class _Seat:
    """An environment and what runs in it. `busy` and `cpu` are integrals since the last measure."""

    __slots__ = ("burn", "busy", "cpu", "dead", "facts", "function", "routes", "since")

    def __init__(self, facts: EnvironmentFacts, function: Function, now: float) -> None:
        self.facts = facts
        self.function = function
        self.routes: dict[Route, float] = {}  # and the vCPUs that each uses
        self.burn = 0.0  # vCPUs in use
        self.busy = self.cpu = 0.0
        self.since = now
        self.dead = False

    def pass_time(self, now: float) -> None:
        self.busy += len(self.routes) * (now - self.since)
        self.cpu += min(self.burn, self.function.facts.vcpus) * (now - self.since)
        self.since = now


class Invocations:
    """Routes every invocation.

    Args:
        agenda: the clock.
        router: routes them.
        functions: that are invoked.
        rng: draws times.
        until: virtual seconds after which nothing comes.
        even: invocations come evenly spaced; otherwise as independent callers come.
        stopped: to be called when an environment that drains is idle.

    Attributes:
        invocations: that came, by function.
        throttles: by function and cause.
        done: invocations that ended.
        losses: invocations in environments that died.
        moved: refusals of an environment after which another one was asked.
    """

    def __init__(
        self,
        agenda: Agenda,
        router: Router,
        functions: Sequence[Function],
        *,
        rng: Random,
        until: float,
        even: bool,
        stopped: Callable[[str], None],
    ) -> None:
        self.invocations: Counter[str] = Counter()
        self.throttles: dict[str, Counter[Cause]] = {each.facts.id: Counter() for each in functions}
        self.done = 0
        self.losses = 0
        self.moved = 0
        self._agenda = agenda
        self._router = router
        self._rng = rng
        self._stopped = stopped
        self._functions = {each.facts.id: each for each in functions}
        self._seats: dict[str, _Seat] = {}
        self._refusals: Counter[str] = Counter()
        self._measured_at = agenda.now
        for each in functions:
            self._next(each, arrivals(each.rate, until, None if even else rng))

    @property
    def in_flight(self) -> list[tuple[int, int]]:
        """What each environment holds, and its limit."""
        return [(len(seat.routes), seat.function.facts.slots) for seat in self._seats.values()]

    def ready(self, environment: EnvironmentFacts, zone: str) -> None:
        """Use an environment from now on."""
        function = self._functions[environment.version]
        self._seats[environment.id] = _Seat(environment, function, self._agenda.now)
        self._router.add(environment.version, environment.id, zone=zone, limit=function.facts.slots)

    def drain(self, environment: EnvironmentFacts) -> None:
        """Give an environment nothing more."""
        self._router.remove(environment.id)
        if not self._seats[environment.id].routes:
            # Not at once: the fleet is in the midst of it.
            self._agenda.after(0.0, self._idle, environment)

    def died(self, environment: EnvironmentFacts) -> None:
        """Lose what runs in an environment; the router does not know yet, so what comes next is refused there."""
        seat = self._seats.get(environment.id)
        if seat is None:
            return
        seat.pass_time(self._agenda.now)
        seat.dead = True
        self.losses += len(seat.routes)
        for route in seat.routes:
            route.done()
        seat.routes.clear()
        seat.burn = 0.0

    def lost(self, environment: EnvironmentFacts) -> None:
        """Take an environment off the router."""
        self.died(environment)
        self._router.remove(environment.id)
        self._seats.pop(environment.id, None)

    def measure(self) -> dict[str, int]:
        """Write loads into the facts, tell the router, and return the refusals since the last time, by function."""
        now = self._agenda.now
        span = now - self._measured_at
        self._measured_at = now
        for seat in self._seats.values():
            seat.pass_time(now)
            version = seat.function.facts
            facts = seat.facts
            facts.slots_in_use = seat.busy / span / version.slots if span else 0.0
            facts.cpu = seat.cpu / span / version.vcpus if span else 0.0
            seat.busy = seat.cpu = 0.0
            hot = Cause.CPU if facts.cpu > _HOT else None
            polls = 0 if seat.dead else version.slots - len(seat.routes)
            self._router.observe(facts.id, polls=polls, hot=hot, cpu=facts.cpu)
        refusals = dict(self._refusals)
        self._refusals.clear()
        return refusals

    def _next(self, function: Function, times: Iterator[float]) -> None:
        at = next(times, None)
        if at is not None:
            self._agenda.at(at, self._arrive, function, times)

    def _arrive(self, function: Function, times: Iterator[float]) -> None:
        self._next(function, times)
        name = function.facts.id
        self.invocations[name] += 1
        answer = self._router.route(name)
        while isinstance(answer, Route):
            seat = self._seats[answer.environment]
            if not seat.dead:
                self._enter(seat, answer)
                return
            self.moved += 1
            answer = answer.refused(Cause.CONCURRENCY)
        self.throttles[name][answer] += 1
        self._refusals[name] += 1

    def _enter(self, seat: _Seat, route: Route) -> None:
        function = seat.function
        seat.pass_time(self._agenda.now)
        seconds = function.seconds if function.steady else self._rng.expovariate(1 / function.seconds)
        burn = function.cpu / function.seconds
        seconds *= max(1.0, (seat.burn + burn) / function.facts.vcpus)
        seat.routes[route] = burn
        seat.burn += burn
        self._agenda.after(seconds, self._done, seat, route)

    def _done(self, seat: _Seat, route: Route) -> None:
        burn = seat.routes.get(route)
        if burn is None:
            return  # lost meanwhile
        seat.pass_time(self._agenda.now)
        del seat.routes[route]
        seat.burn = seat.burn - burn if seat.routes else 0.0
        route.done()
        self.done += 1
        if not seat.routes:
            self._idle(seat.facts)

    def _idle(self, environment: EnvironmentFacts) -> None:
        if environment.state is EnvironmentState.DRAINING:
            self._seats.pop(environment.id, None)
            self._stopped(environment.id)
