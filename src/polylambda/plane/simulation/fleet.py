"""The simulated fleet: it does what a `Scaler` decides, with delays and failures, and tells how things are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from polylambda.plane.facts import EnvironmentFacts, InstanceFacts
from polylambda.plane.states import ENVIRONMENT_STEPS, INSTANCE_STEPS, EnvironmentState, InstanceState, step

if TYPE_CHECKING:
    from random import Random

    from polylambda.plane.facts import Decisions, Launch, Start
    from polylambda.plane.simulation.agenda import Agenda


@dataclass(frozen=True, slots=True, kw_only=True)
class Delays:
    """How long things take, in seconds, and how often they fail.

    Attributes:
        launch: from the launch of an instance until it is Running; between half and one and a half of it.
        init: from the start of an environment until it is Ready; likewise.
        detect: from the death of an instance until the plane knows.
        life: mean time until an instance dies by itself; None: they do not.
        failing_launches: share of the launches that fail.
        failing_inits: share of the inits that fail.
    """

    launch: float = 30.0
    init: float = 2.0
    detect: float = 3.0
    life: float | None = None
    failing_launches: float = 0.0
    failing_inits: float = 0.0


class Load(Protocol):
    """What goes on in the environments."""

    def ready(self, environment: EnvironmentFacts, zone: str) -> None:
        """Use an environment from now on."""
        ...

    def drain(self, environment: EnvironmentFacts) -> None:
        """Give an environment nothing more; `Fleet.stopped` is to be called when it is idle."""
        ...

    def died(self, environment: EnvironmentFacts) -> None:
        """Lose what runs in an environment; the plane does not know yet that it is dead."""
        ...

    def lost(self, environment: EnvironmentFacts) -> None:
        """Forget an environment: now the plane knows."""
        ...


class Fleet:
    """Instances and environments in virtual time.

    Attributes:
        instances: by id; those that ended are not in it.
        environments: by id; those that ended are in it until the next decisions.
        load: what goes on in the environments; to be set before the first decisions.
        vcpus: of the instances.
        launched: instances in all.
        started: environments in all.
        deaths: instances that died by themselves.
    """

    load: Load

    def __init__(self, agenda: Agenda, rng: Random, delays: Delays) -> None:
        self.instances: dict[str, InstanceFacts] = {}
        self.environments: dict[str, EnvironmentFacts] = {}
        self.vcpus = 0
        self.launched = self.started = self.deaths = 0
        self._agenda = agenda
        self._rng = rng
        self._delays = delays
        self._on: dict[str, dict[str, EnvironmentFacts]] = {}
        self._dead: set[str] = set()
        self._over: list[str] = []

    def apply(self, decisions: Decisions) -> None:
        """Begin to do what was decided."""
        for name in self._over:
            del self.environments[name]
        self._over.clear()
        for name in decisions.terminate:
            self._terminate(name)
        for launch in decisions.launch:
            self._launch(launch)
        for start in decisions.start:
            self._start(start)
        for name in decisions.drain_instances:
            instance = self.instances[name]
            if instance.state is InstanceState.RUNNING:
                instance.state = step(INSTANCE_STEPS, name, instance.state, InstanceState.DRAINING)
        for name in decisions.drain:
            self._drain(name)

    def stopped(self, name: str) -> None:
        """Take an environment away that drained and is idle."""
        environment = self.environments.get(name)
        if environment is not None and environment.state is EnvironmentState.DRAINING:
            self._end(environment, EnvironmentState.STOPPED)

    def kill(self, name: str) -> None:
        """Let an instance die; the plane learns of it later."""
        instance = self.instances.get(name)
        if instance is None or name in self._dead:
            return
        self.deaths += 1
        self._dead.add(name)
        for environment in self._on[name].values():
            self.load.died(environment)
        self._agenda.after(self._delays.detect, self._detect, name)

    def _about(self, seconds: float) -> float:
        return seconds * self._rng.uniform(0.5, 1.5)

    def _launch(self, launch: Launch) -> None:
        self.instances[launch.id] = InstanceFacts(
            launch.id, launch.provider, launch.type, launch.zone, InstanceState.PENDING, self._agenda.now
        )
        self._on[launch.id] = {}
        self.launched += 1
        self.vcpus += launch.type.vcpus
        self._agenda.after(self._about(self._delays.launch), self._launched, launch.id)

    def _launched(self, name: str) -> None:
        instance = self.instances.get(name)
        if instance is None:
            return
        if self._rng.random() < self._delays.failing_launches:
            instance.state = step(INSTANCE_STEPS, name, instance.state, InstanceState.FAILED)
            for environment in list(self._on[name].values()):
                self._end(environment, EnvironmentState.DEAD)
            return
        instance.state = step(INSTANCE_STEPS, name, instance.state, InstanceState.RUNNING)
        for environment in self._on[name].values():
            self._agenda.after(self._about(self._delays.init), self._initialised, environment.id)
        if self._delays.life is not None:
            self._agenda.after(self._rng.expovariate(1 / self._delays.life), self.kill, name)

    def _start(self, start: Start) -> None:
        self.started += 1
        environment = EnvironmentFacts(start.id, start.version, start.instance, EnvironmentState.STARTING)
        self.environments[start.id] = environment
        self._on[start.instance][start.id] = environment
        if self.instances[start.instance].state is InstanceState.RUNNING:
            self._agenda.after(self._about(self._delays.init), self._initialised, start.id)

    def _initialised(self, name: str) -> None:
        environment = self.environments.get(name)
        if environment is None or environment.state is not EnvironmentState.STARTING:
            return
        if environment.instance in self._dead:
            return
        if self._rng.random() < self._delays.failing_inits:
            self._end(environment, EnvironmentState.FAILED)
            return
        environment.state = step(ENVIRONMENT_STEPS, name, environment.state, EnvironmentState.READY)
        environment.settled = True  # here they die with their instance only
        self.load.ready(environment, self.instances[environment.instance].zone)

    def _drain(self, name: str) -> None:
        environment = self.environments.get(name)
        if environment is None:
            return
        if environment.state is EnvironmentState.STARTING:
            self._end(environment, EnvironmentState.STOPPED)
        elif environment.state is EnvironmentState.READY:
            environment.state = step(ENVIRONMENT_STEPS, name, environment.state, EnvironmentState.DRAINING)
            environment.cpu = environment.slots_in_use = 0.0
            self.load.drain(environment)

    def _detect(self, name: str) -> None:
        instance = self.instances.get(name)
        if instance is None:
            return
        instance.state = step(INSTANCE_STEPS, name, instance.state, InstanceState.UNHEALTHY)
        for environment in list(self._on[name].values()):
            self.load.lost(environment)
            self._end(environment, EnvironmentState.DEAD)

    def _terminate(self, name: str) -> None:
        instance = self.instances.pop(name, None)
        if instance is None:
            return
        self.vcpus -= instance.type.vcpus
        step(INSTANCE_STEPS, name, instance.state, InstanceState.TERMINATED)
        for environment in list(self._on[name].values()):
            self.load.lost(environment)
            self._end(environment, EnvironmentState.DEAD)
        del self._on[name]
        self._dead.discard(name)

    def _end(self, environment: EnvironmentFacts, state: EnvironmentState) -> None:
        environment.state = step(ENVIRONMENT_STEPS, environment.id, environment.state, state)
        del self._on[environment.instance][environment.id]
        self._over.append(environment.id)
