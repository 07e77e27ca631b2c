"""Synchronous and asynchronous invocations alike: from a version to an environment, and what is counted on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polylambda.plane.agent_client import AgentError, AgentLost, AgentResponse, Refused
from polylambda.plane.control import Throttled
from polylambda.plane.router import Cause, Route
from polylambda.plane.states import INVOCATION_STEPS, InvocationState, step
from polylambda.rapi.headers import JSON
from polylambda.server import faults
from polylambda.server.invocation import Outcome

if TYPE_CHECKING:
    from polylambda.plane.clock import Clock
    from polylambda.plane.fleet import Environment, Fleet, Revision
    from polylambda.plane.metrics import FunctionMetrics, Metrics
    from polylambda.plane.router import Router
    from polylambda.server.invocation import Invocation


class Invoker:
    """Finds an environment for an invocation. It tries another only while no runtime has seen the invocation."""

    def __init__(self, router: Router, fleet: Fleet, metrics: Metrics, clock: Clock) -> None:
        """Route with `router` over the environments in `fleet`."""
        self._router = router
        self._fleet = fleet
        self._metrics = metrics
        self._clock = clock

    async def invoke(self, revision: Revision, invocation: Invocation, *, tail: bool = False) -> AgentResponse:
        """Run `invocation`; return when the head of its answer is known.

        The death of the environment or of its instance is an answer too, with `Sandbox.Failure` or `Runtime.ExitError`.
        Cancelling does not stop the function; its slot is free when it has ended.

        Raises:
            Throttled: nobody could take it, and no runtime has seen it.
        """
        record = revision.record
        figures = self._metrics.function(record.function_name, record.qualifier)
        journey = _Journey(invocation, figures, self._clock)
        place = self._router.route(revision.id)
        while isinstance(place, Route):
            environment = self._fleet.environments.get(place.environment)
            host = self._fleet.hosts.get(environment.instance) if environment is not None else None
            client = host.client if host is not None else None
            if environment is None or client is None:  # it died a moment ago
                place = place.refused(Cause.CONCURRENCY)
                continue
            journey.routed(place, environment)
            try:
                return await client.invoke(place.environment, invocation, tail=tail, on_end=journey.ended)
            except Refused as refused:
                journey.refused()
                place = place.refused(refused.cause)
            except AgentLost as lost:
                if lost.delivered:
                    return _failure(invocation, journey, str(lost))
                journey.refused()
                place = place.refused(Cause.CONCURRENCY)
            except AgentError as error:
                return _failure(invocation, journey, str(error))
            except Exception:  # a defect must not cost a slot for ever
                journey.refused()
                place.done()
                raise
        journey.given_up(place)
        raise Throttled(place)


_ENDS = {
    Outcome.SUCCESS: InvocationState.SUCCEEDED,
    Outcome.ERROR: InvocationState.FAILED,
    Outcome.TRUNCATED: InvocationState.FAILED,
    Outcome.TIMEOUT: InvocationState.TIMED_OUT,
    Outcome.FAILURE: InvocationState.LOST,
    Outcome.PENDING: InvocationState.LOST,
}


class _Journey:
    """An invocation on its way, and what is counted there. Its states say that what was delivered goes nowhere else."""

    __slots__ = ("_begun", "_clock", "_environment", "_figures", "_invocation", "_place", "_state")

    def __init__(self, invocation: Invocation, figures: FunctionMetrics, clock: Clock) -> None:
        self._invocation = invocation
        self._figures = figures
        self._clock = clock
        self._begun = clock.now()
        self._state = InvocationState.ACCEPTED
        self._place: Route | None = None
        self._environment: Environment | None = None

    def routed(self, place: Route, environment: Environment) -> None:
        """It is on its way to an environment."""
        self._become(InvocationState.ROUTED)
        self._place = place
        self._environment = environment
        environment.begin(self._clock.now())

    def refused(self) -> None:
        """It was not taken. The router is told by whoever decides where to try next."""
        assert self._environment is not None
        self._environment.end(self._clock.now())

    def given_up(self, cause: Cause) -> None:
        """Nobody takes it."""
        self._become(InvocationState.FAILED)
        self._figures.count("Throttles")
        self._figures.count(cause.value)

    def ended(self, response: AgentResponse) -> None:
        """A runtime had it, or may have had it, and its answer has ended in whatever way."""
        assert self._environment is not None
        assert self._place is not None
        self._become(InvocationState.DELIVERED)
        self._become(_ENDS[response.outcome])
        now = self._clock.now()
        self._environment.end(now)
        self._place.done()
        figures = self._figures
        figures.count("Invocations")
        if self._state is not InvocationState.SUCCEEDED:
            figures.count("Errors")
        figures.duration.add(self._clock.real(now - self._begun) * 1000)

    def _become(self, state: InvocationState) -> None:
        self._state = step(INVOCATION_STEPS, f"invocation {self._invocation.request_id}", self._state, state)


def _failure(invocation: Invocation, journey: _Journey, reason: str) -> AgentResponse:
    """The answer to an invocation whose environment was lost with it."""
    response = AgentResponse(invocation.request_id, journey.ended)
    response.begin(JSON, streamed=False)
    response.feed(faults.environment_payload(invocation.request_id, faults.SANDBOX_FAILURE, reason))
    response.end(Outcome.FAILURE, faults.SANDBOX_FAILURE)
    return response
