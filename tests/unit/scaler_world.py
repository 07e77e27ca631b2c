"""A world for the scaler: what it decides happens, after as many ticks as the test says."""

from __future__ import annotations

import itertools
from collections import Counter

from polylambda.plane.instance_types import select
from polylambda.plane.scaler import (
    Decisions,
    EnvironmentFacts,
    Facts,
    InstanceFacts,
    Policy,
    ProviderFacts,
    Scaler,
    VersionFacts,
)
from polylambda.plane.states import EnvironmentState, InstanceState

SETTLED = 10.0  # seconds after which an environment that is Ready works
ALIVE = (EnvironmentState.STARTING, EnvironmentState.READY)
ZONES = ("a", "b", "c")


def provider(name: str = "pool", *, types: tuple[str, ...] = ("m7g.*",), max_vcpus: int = 400, **more) -> ProviderFacts:
    return ProviderFacts(name, select("arm64", types), more.pop("zones", ZONES), max_vcpus, **more)


def version(name: str = "v", *, minimum: int = 3, maximum: int | None = None, **more) -> VersionFacts:
    facts = {"provider": "pool", "vcpus": 1.0, "memory": 2048, "slots": 8} | more
    return VersionFacts(name, minimum=minimum, maximum=maximum, **facts)


class World:
    """Instances and environments that do as they are told.

    Args:
        versions: that run.
        providers: capacity providers; one of 400 vCPUs, unless given.
        boot: ticks until an instance is Running.
        init: ticks until an environment is Ready.
        policy: the scaler's.
    """

    def __init__(
        self,
        *versions: VersionFacts,
        providers: list[ProviderFacts] | None = None,
        boot: int = 1,
        init: int = 1,
        policy: Policy | None = None,
    ) -> None:
        self.now = 0.0
        self.policy = policy or Policy()
        self.providers = providers or [provider()]
        self.versions = {each.id: each for each in versions}
        self.instances: dict[str, InstanceFacts] = {}
        self.environments: dict[str, EnvironmentFacts] = {}
        self.load: dict[str, float] = {}  # in environments, of CPU
        self.slots: dict[str, float] = {}  # likewise, of slots
        self.refusals: dict[str, int] = {}  # at every tick
        self.failing: set[str] = set()  # versions whose init fails
        self.crashing: set[str] = set()  # versions that die as soon as they are Ready
        self.boot, self.init = boot, init
        self.broken = False  # whether launches fail
        self.decisions = Decisions()
        self.history: list[Decisions] = []
        self.since: Counter[str] = Counter()  # ticks that things have been as they are
        numbers = itertools.count(1)
        self.new_id = lambda kind: f"{kind[0]}{next(numbers)}"
        self.scaler = Scaler(self.policy, new_id=self.new_id)

    def facts(self) -> Facts:
        for name, facts in self.versions.items():
            facts.refusals = self.refusals.get(name, 0)
            ready = self.ready(name)
            for each in ready:
                each.cpu = min(1.0, self.load.get(name, 0.0) / len(ready))
                each.slots_in_use = min(1.0, self.slots.get(name, 0.0) / len(ready))
        versions, instances = list(self.versions.values()), list(self.instances.values())
        return Facts(self.providers, versions, instances, list(self.environments.values()))

    def tick(self, count: int = 1) -> Decisions:
        """Let the scaler decide and the world follow, `count` times; return the last decisions."""
        for _ in range(count):
            self.now += self.policy.tick
            self.decisions = self.scaler.tick(self.now, self.facts())
            self.history.append(self.decisions)
            self.follow(self.decisions)
        return self.decisions

    def seconds(self, seconds: float) -> Decisions:
        """Let so much time pass."""
        return self.tick(round(seconds / self.policy.tick))

    def follow(self, decisions: Decisions) -> None:
        """Do what was decided, and let what was begun go on."""
        for name in [name for name, each in self.environments.items() if each.state not in ALIVE]:
            del self.environments[name]
        for name in decisions.drain:
            assert self.environments[name].state in ALIVE
            del self.environments[name]
        for name in decisions.drain_instances:
            assert self.instances[name].state is InstanceState.RUNNING
            self.instances[name].state = InstanceState.DRAINING
        for name in decisions.terminate:
            broken = self.instances[name].state in (InstanceState.UNHEALTHY, InstanceState.FAILED)
            assert broken or not self.on(name), "it is not empty"
            del self.instances[name]
        for launch in decisions.launch:
            assert launch.id not in self.instances
            self.instances[launch.id] = InstanceFacts(
                launch.id, launch.provider, launch.type, launch.zone, InstanceState.PENDING, self.now
            )
        for start in decisions.start:
            assert start.id not in self.environments
            self.environments[start.id] = EnvironmentFacts(
                start.id, start.version, start.instance, EnvironmentState.STARTING
            )
        self.go_on()

    def go_on(self) -> None:
        for each in self.environments.values():
            if each.state is EnvironmentState.READY:
                self.since[f"{each.id} is Ready"] += 1
                each.settled = self.since[f"{each.id} is Ready"] * self.policy.tick >= SETTLED
                if each.version in self.crashing:
                    each.state = EnvironmentState.DEAD
        for each in self.instances.values():
            if each.state is InstanceState.PENDING:
                self.since[each.id] += 1
                if self.since[each.id] >= self.boot:
                    each.state = InstanceState.FAILED if self.broken else InstanceState.RUNNING
        for each in self.environments.values():
            if each.state is EnvironmentState.STARTING and self.state_of(each) is InstanceState.RUNNING:
                self.since[each.id] += 1
                if self.since[each.id] >= self.init:
                    failed = each.version in self.failing
                    each.state = EnvironmentState.FAILED if failed else EnvironmentState.READY
        for each in self.environments.values():
            if self.state_of(each) in (InstanceState.FAILED, InstanceState.UNHEALTHY, None):
                each.state = EnvironmentState.DEAD

    def kill(self, name: str) -> None:
        """Let an instance be found dead."""
        self.instances[name].state = InstanceState.UNHEALTHY
        for each in self.on(name):
            each.state = EnvironmentState.DEAD

    def state_of(self, environment: EnvironmentFacts) -> InstanceState | None:
        instance = self.instances.get(environment.instance)
        return instance.state if instance else None

    def on(self, instance: str) -> list[EnvironmentFacts]:
        """What is alive on an instance."""
        return [each for each in self.environments.values() if each.instance == instance and each.state in ALIVE]

    def alive(self, name: str = "v") -> list[EnvironmentFacts]:
        return [each for each in self.environments.values() if each.version == name and each.state in ALIVE]

    def ready(self, name: str = "v") -> list[EnvironmentFacts]:
        return [each for each in self.alive(name) if each.state is EnvironmentState.READY]

    def evenness(self, name: str = "v") -> int:
        """How many more the fullest zone has than the emptiest."""
        zones = Counter(self.instances[each.instance].zone for each in self.alive(name))
        counts = [zones[zone] for zone in self.providers[0].zones]
        return max(counts) - min(counts)
