"""Any history of a router: what must hold whatever happens, told by a model that keeps its own books."""

from __future__ import annotations

import random

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from polylambda.plane.router import Cause, Route, Router
from polylambda.plane.states import INVOCATION_STEPS, InvocationState, step

ROUTED, DELIVERED = InvocationState.ROUTED, InvocationState.DELIVERED
CAUSES = st.sampled_from(Cause)


class Call:
    """An invocation as its caller keeps it; the table of states forbids a second delivery."""

    def __init__(self, route: Route) -> None:
        self.route = route
        self.state = step(INVOCATION_STEPS, "call", InvocationState.ACCEPTED, ROUTED)
        self.refused_by: list[str] = []

    def go(self, state: InvocationState) -> None:
        self.state = step(INVOCATION_STEPS, "call", self.state, state)


class RouterMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.router = Router(random.Random(7))
        self.limits: dict[str, int] = {}
        self.hot: dict[str, Cause | None] = {}
        self.refused_since: dict[str, bool] = {}
        self.calls: list[Call] = []
        self.made = 0
        self.refusals = 0

    @rule(limit=st.integers(1, 4), zone=st.sampled_from("123"))
    def add(self, limit: int, zone: str) -> None:
        self.made += 1
        name = f"e{self.made}"
        self.router.add("v", name, zone=zone, limit=limit)
        self.limits[name], self.hot[name], self.refused_since[name] = limit, None, False

    @precondition(lambda self: self.limits)
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.limits)))
        self.router.remove(name)
        del self.limits[name], self.hot[name], self.refused_since[name]

    @precondition(lambda self: self.limits)
    @rule(data=st.data(), polls=st.none() | st.integers(0, 5), hot=st.none() | CAUSES, cpu=st.floats(0, 2))
    def observe(self, data: st.DataObject, polls: int | None, hot: Cause | None, cpu: float) -> None:
        name = data.draw(st.sampled_from(sorted(self.limits)))
        self.router.observe(name, polls=polls, hot=hot, cpu=cpu)
        self.hot[name], self.refused_since[name] = hot, False

    @rule()
    def route(self) -> None:
        answer = self.router.route("v")
        if isinstance(answer, Route):
            self.check(answer, [])
            self.calls.append(Call(answer))
        else:
            self.refuse(answer, [])

    @precondition(lambda self: any(call.state is ROUTED for call in self.calls))
    @rule(data=st.data(), cause=CAUSES)
    def refused(self, data: st.DataObject, cause: Cause) -> None:
        call = data.draw(st.sampled_from([call for call in self.calls if call.state is ROUTED]))
        name = call.route.environment
        call.refused_by.append(name)
        if name in self.limits:
            self.refused_since[name] = True
            if cause is not Cause.CONCURRENCY:
                self.hot[name] = cause
        answer = call.route.refused(cause)
        if isinstance(answer, Route):
            self.check(answer, call.refused_by)
            call.route = answer
            call.go(ROUTED)
        else:
            self.calls.remove(call)
            self.refuse(answer, call.refused_by)

    @precondition(lambda self: any(call.state is ROUTED for call in self.calls))
    @rule(data=st.data())
    def delivered(self, data: st.DataObject) -> None:
        data.draw(st.sampled_from([call for call in self.calls if call.state is ROUTED])).go(DELIVERED)

    @precondition(lambda self: any(call.state is DELIVERED for call in self.calls))
    @rule(data=st.data())
    def done(self, data: st.DataObject) -> None:
        call = data.draw(st.sampled_from([call for call in self.calls if call.state is DELIVERED]))
        call.route.done()
        self.calls.remove(call)

    def check(self, route: Route, refused_by: list[str]) -> None:
        assert route.environment in self.limits, "it was removed"
        assert self.hot[route.environment] is None, "it is hot"
        assert route.environment not in refused_by, "it has refused this one before"

    def refuse(self, cause: Cause, refused_by: list[str]) -> None:
        self.refusals += 1
        for name, limit in self.limits.items():
            full = self.in_flight(name) >= limit
            assert full or self.hot[name] or name in refused_by or self.refused_since[name], (
                f"{name} could have taken it"
            )
        assert cause is Cause.CONCURRENCY or cause in self.hot.values()

    def in_flight(self, name: str) -> int:
        return sum(call.route.environment == name for call in self.calls)

    @invariant()
    def books_agree(self) -> None:
        assert self.router.refusals("v") == self.refusals
        for name, limit in self.limits.items():
            assert self.router.in_flight(name) == self.in_flight(name) <= limit


TestRouter = RouterMachine.TestCase
