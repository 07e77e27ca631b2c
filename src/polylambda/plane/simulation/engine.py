"""The simulation: tick for tick the scaler is told how the fleet is, and the fleet does what it says."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

from polylambda.plane.demand import Policy
from polylambda.plane.facts import Facts
from polylambda.plane.router import Router
from polylambda.plane.scaler import Scaler
from polylambda.plane.simulation.agenda import Agenda
from polylambda.plane.simulation.fleet import Delays, Fleet
from polylambda.plane.simulation.flow import Flow
from polylambda.plane.simulation.invocations import Invocations
from polylambda.plane.states import EnvironmentState, InstanceState

if TYPE_CHECKING:
    from collections.abc import Callable

    from polylambda.plane.facts import Decisions, ProviderFacts
    from polylambda.plane.simulation.functions import Function


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What is simulated.

    Attributes:
        name: of the scenario.
        about: one sentence.
        providers: capacity providers.
        functions: their versions and traffic, which begins at second 0.
        seconds: of traffic.
        tick: seconds between two ticks of the scaler.
        warm: seconds before that in which minimums get Ready; in bulk, traffic swells to its first rate meanwhile, and
            is not counted.
        sample: seconds between two entries of the result.
        bulk: work out traffic in bulk, instead of following every invocation.
        even: invocations come evenly spaced, instead of as independent callers come; not in bulk.
        delays: how long things take, and how often they fail.
        policy: of the scaler.
    """

    name: str
    about: str
    providers: tuple[ProviderFacts, ...]
    functions: tuple[Function, ...]
    seconds: float
    tick: float = 2.0
    warm: float = 120.0
    sample: float = 10.0
    bulk: bool = False
    even: bool = True
    delays: Delays = field(default_factory=Delays)
    policy: Policy = field(default_factory=Policy)


@dataclass(frozen=True, slots=True)
class Sample:
    """The fleet at a time, and what happened since the last sample.

    Attributes:
        at: virtual seconds.
        seconds: since the last sample.
        invocations: that came.
        throttles: those of them that were refused, by CloudWatch's name of the cause.
        instances: that are Running.
        launching: instances that are Pending.
        vcpus: of all instances.
        environments: that are Ready.
        starting: environments that are not Ready yet.
        wanted: environments that the scaler wants.
        slots_in_use: mean share of the slots of Ready environments.
        cpu: mean share of their vCPUs.
    """

    at: float
    seconds: float
    invocations: int
    throttles: dict[str, int]
    instances: int
    launching: int
    vcpus: int
    environments: int
    starting: int
    wanted: int
    slots_in_use: float
    cpu: float


@dataclass(slots=True, kw_only=True)
class Result:
    """What came of a simulation.

    Attributes:
        scenario: what was simulated.
        samples: in the order of time; time 0 is when traffic began.
        wanted: when the scaler changed how many environments it wants: time, function, number.
        invocations: that came in all.
        throttles: those of them that were refused, by CloudWatch's name of the cause.
        lost: invocations that ran when their environment died.
        moved: refusals after which another environment was asked.
        instance_hours: of all instances, from launch to end.
        vcpu_hours: likewise.
        launched: instances in all.
        started: environments in all.
        deaths: instances that died by themselves.
        load: the model of the load, with more figures.
        ticks: of the scaler.
    """

    scenario: Scenario
    samples: list[Sample] = field(default_factory=list[Sample])
    wanted: list[tuple[float, str, int]] = field(default_factory=list[tuple[float, str, int]])
    invocations: int = 0
    throttles: Counter[str] = field(default_factory=Counter[str])
    lost: int = 0
    moved: int = 0
    instance_hours: float = 0.0
    vcpu_hours: float = 0.0
    launched: int = 0
    started: int = 0
    deaths: int = 0
    load: Flow | Invocations | None = None
    ticks: int = 0


def simulate(
    scenario: Scenario, *, seed: int = 1, observe: Callable[[float, Facts, Decisions], None] | None = None
) -> Result:
    """Run a scenario; the same seed gives the same result.

    Args:
        scenario: what to simulate.
        seed: of all that is drawn at random.
        observe: called at every tick with the time, the facts that the scaler was told, and what it decided.
    """
    rng = Random(seed)  # noqa: S311 - no secret depends on it
    agenda = Agenda(-scenario.warm)
    router = Router(rng)
    fleet = Fleet(agenda, rng, scenario.delays)
    load = _load(scenario, agenda, router, rng, fleet)
    fleet.load = load
    numbers = itertools.count(1)
    scaler = Scaler(scenario.policy, new_id=lambda kind: f"{kind[0]}-{next(numbers)}")
    result = Result(scenario=scenario, load=load)
    recorder = _Recorder(result, fleet, load)
    while agenda.now < scenario.seconds:
        agenda.run(agenda.now + scenario.tick)
        facts = _facts(scenario, fleet, load.measure())
        decisions = scaler.tick(agenda.now, facts)
        if observe is not None:
            observe(agenda.now, facts, decisions)
        recorder.note(agenda.now, decisions)
        fleet.apply(decisions)
    result.invocations = sum(load.invocations.values())
    for throttles in load.throttles.values():
        result.throttles.update({cause.value: count for cause, count in throttles.items()})
    result.lost, result.moved = load.losses, load.moved
    result.launched, result.started, result.deaths = fleet.launched, fleet.started, fleet.deaths
    return result


def _load(scenario: Scenario, agenda: Agenda, router: Router, rng: Random, fleet: Fleet) -> Flow | Invocations:
    if scenario.bulk:
        return Flow(agenda, router, scenario.functions, rng=rng, stopped=fleet.stopped)
    return Invocations(
        agenda,
        router,
        scenario.functions,
        rng=rng,
        until=scenario.seconds,
        even=scenario.even,
        stopped=fleet.stopped,
    )


def _facts(scenario: Scenario, fleet: Fleet, refusals: dict[str, int]) -> Facts:
    for function in scenario.functions:
        function.facts.refusals = refusals.get(function.facts.id, 0)
    versions = [function.facts for function in scenario.functions]
    return Facts(scenario.providers, versions, list(fleet.instances.values()), list(fleet.environments.values()))


class _Recorder:
    """Writes the result."""

    def __init__(self, result: Result, fleet: Fleet, load: Flow | Invocations) -> None:
        self._result = result
        self._fleet = fleet
        self._load = load
        self._wanted: dict[str, int] = {}
        self._sampled_at = 0.0
        self._invocations = 0
        self._throttles: Counter[str] = Counter()

    def note(self, now: float, decisions: Decisions) -> None:
        result, scenario = self._result, self._result.scenario
        result.ticks += 1
        for name, wanted in decisions.wanted.items():
            if self._wanted.get(name) != wanted:
                result.wanted.append((now, name, wanted))
        self._wanted = decisions.wanted
        if now <= 0:
            return
        result.instance_hours += len(self._fleet.instances) * scenario.tick / 3600
        result.vcpu_hours += self._fleet.vcpus * scenario.tick / 3600
        if now - self._sampled_at >= scenario.sample:
            result.samples.append(self._sample(now))
            self._sampled_at = now

    def _sample(self, now: float) -> Sample:
        instances = Counter(each.state for each in self._fleet.instances.values())
        environments = self._fleet.environments.values()
        states = Counter(each.state for each in environments)
        ready = states[EnvironmentState.READY]
        came = sum(self._load.invocations.values())
        throttles: Counter[str] = Counter()
        for causes in self._load.throttles.values():
            throttles.update({cause.value: count for cause, count in causes.items()})
        sample = Sample(
            at=now,
            seconds=now - self._sampled_at,
            invocations=came - self._invocations,
            throttles=dict(throttles - self._throttles),
            instances=instances[InstanceState.RUNNING] + instances[InstanceState.DRAINING],
            launching=instances[InstanceState.PENDING],
            vcpus=self._fleet.vcpus,
            environments=ready,
            starting=states[EnvironmentState.STARTING],
            wanted=sum(self._wanted.values()),
            slots_in_use=sum(each.slots_in_use for each in environments) / ready if ready else 0.0,
            cpu=sum(each.cpu for each in environments) / ready if ready else 0.0,
        )
        self._invocations, self._throttles = came, throttles
        return sample
