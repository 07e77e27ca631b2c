"""What there is: the instances and environments of a plane, as they were last heard of. No I/O and no clock."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from polylambda.plane.states import (
    ENVIRONMENT_STEPS,
    INSTANCE_STEPS,
    EnvironmentState,
    InstanceState,
    step,
)

if TYPE_CHECKING:
    from polylambda.plane.agent_client import AgentClient
    from polylambda.plane.instance_types import InstanceType
    from polylambda.plane.providers import Instance
    from polylambda.plane.records import VersionRecord
    from polylambda.plane.router import Cause

ENDED_ENVIRONMENT = frozenset({EnvironmentState.STOPPED, EnvironmentState.FAILED, EnvironmentState.DEAD})


@dataclass(frozen=True, slots=True)
class Revision:
    """A version of a function together with what it consists of: code and configuration.

    `$LATEST.PUBLISHED` is a version whose code and configuration are replaced. Until the environments of the new ones
    are ready the old ones serve, so the fleet knows each by an id of its own.
    """

    record: VersionRecord

    @property
    def id(self) -> str:
        """What router and scaler know it by."""
        return f"{self.record.arn}@{self.record.generation}"


@dataclass(slots=True, eq=False)
class Environment:
    """An execution environment, as it was last heard of.

    Attributes:
        id: 32 hexadecimal digits.
        revision: what it runs.
        instance: id of the instance that it is on.
        state: where in its life it is.
        cpu: share of its vCPUs that it uses, 0 to 1, as last measured.
        memory: MiB that it uses, likewise.
        hot: why its agent would refuse an invocation now; None: it would not.
        pid: of its runtime; 0 while that is not known.
        in_flight: invocations that it holds.
        sent: its agent was told to start it.
        leaving: its agent is told to stop it.
        ready_at: plane time when it became Ready.
    """

    id: str
    revision: Revision
    instance: str
    state: EnvironmentState = EnvironmentState.STARTING
    cpu: float = 0.0
    memory: float = 0.0
    hot: Cause | None = None
    pid: int = 0
    in_flight: int = 0
    sent: bool = False
    leaving: bool = False
    ready_at: float = 0.0
    _cpu: list[float] = field(default_factory=list[float])
    _load: float = 0.0
    _busy_since: float = 0.0
    _slot_seconds: float = 0.0
    _measured_at: float = 0.0

    def become(self, state: EnvironmentState) -> None:
        """Go on to `state`. Raises IllegalStep when it cannot follow the present one."""
        self.state = step(ENVIRONMENT_STEPS, f"environment {self.id}", self.state, state)

    @property
    def ended(self) -> bool:
        """Whether nothing of it runs any more."""
        return self.state in ENDED_ENVIRONMENT

    def begin(self, now: float) -> None:
        """Count an invocation in, at plane time `now`."""
        self._slot_seconds += self.in_flight * (now - self._busy_since)
        self._busy_since = now
        self.in_flight += 1

    def end(self, now: float) -> None:
        """Count an invocation out, at plane time `now`."""
        self._slot_seconds += self.in_flight * (now - self._busy_since)
        self._busy_since = now
        self.in_flight -= 1

    def measure(self, cpu: float, memory: float, hot: Cause | None, *, counts: bool = True) -> None:
        """Take what its agent measured; `counts` says whether the CPU is load, and not the end of its start."""
        self.cpu = cpu
        self.memory = memory
        self.hot = hot
        if counts:
            self._cpu.append(cpu)
            self._load = cpu

    def take_cpu(self) -> float:
        """Return the mean share of its vCPUs that it used since it was last asked; the last known when none was measured."""
        measured, self._cpu = self._cpu, []
        return sum(measured) / len(measured) if measured else self._load

    def take_slots_in_use(self, now: float) -> float:
        """Return the mean share of its slots that was in use since it was last asked."""
        self._slot_seconds += self.in_flight * (now - self._busy_since)
        self._busy_since = now
        elapsed, self._measured_at = now - self._measured_at, now
        used, self._slot_seconds = self._slot_seconds, 0.0
        slots = self.revision.record.slots
        return used / elapsed / slots if elapsed > 0 else self.in_flight / slots

    def measure_from(self, now: float) -> None:
        """Let the first measurement begin at `now`: it is Ready."""
        self.ready_at = self._measured_at = self._busy_since = now


@dataclass(slots=True, eq=False)
class Host:
    """An instance, as it was last heard of.

    Attributes:
        id: such as `i-0123456789abcdef0`.
        provider: name of its capacity provider.
        type: its instance type.
        zone: its availability zone.
        launched_at: plane time.
        state: where in its life it is.
        instance: handle on it, once it is Running.
        cpu: share of its vCPUs in use, 0 to 1, as last measured.
        memory_used: MiB, likewise.
        ending: it is being terminated.
        environments: those on it that have not ended, by id.
    """

    id: str
    provider: str
    type: InstanceType
    zone: str
    launched_at: float
    state: InstanceState = InstanceState.PENDING
    instance: Instance | None = None
    cpu: float = 0.0
    memory_used: float = 0.0
    ending: bool = False
    environments: dict[str, Environment] = field(default_factory=dict[str, Environment])

    def become(self, state: InstanceState) -> None:
        """Go on to `state`. Raises IllegalStep when it cannot follow the present one."""
        self.state = step(INSTANCE_STEPS, f"instance {self.id}", self.state, state)

    @property
    def client(self) -> AgentClient | None:
        """The way to its agent; None until it runs."""
        return self.instance.client if self.instance is not None else None


class Fleet:
    """All instances and environments that have not ended.

    Attributes:
        hosts: instances by id.
        environments: by id.
    """

    def __init__(self) -> None:
        """Make one with nothing in it."""
        self.hosts: dict[str, Host] = {}
        self.environments: dict[str, Environment] = {}
        self._of_revision: dict[str, dict[str, Environment]] = {}
        self._of_version: dict[str, dict[str, Environment]] = {}

    def add_host(self, host: Host) -> None:
        """Take in an instance."""
        self.hosts[host.id] = host

    def remove_host(self, host: Host) -> None:
        """Forget an instance, which has no environments any more."""
        self.hosts.pop(host.id, None)

    def add_environment(self, environment: Environment) -> None:
        """Take in an environment, on an instance that is known."""
        self.environments[environment.id] = environment
        self.hosts[environment.instance].environments[environment.id] = environment
        self._of_revision.setdefault(environment.revision.id, {})[environment.id] = environment
        self._of_version.setdefault(environment.revision.record.arn, {})[environment.id] = environment

    def remove_environment(self, environment: Environment) -> None:
        """Forget an environment, which has ended."""
        self.environments.pop(environment.id, None)
        host = self.hosts.get(environment.instance)
        if host is not None:
            host.environments.pop(environment.id, None)
        _remove(self._of_revision, environment.revision.id, environment.id)
        _remove(self._of_version, environment.revision.record.arn, environment.id)

    def environments_of(self, arn: str) -> list[Environment]:
        """Return the environments of all revisions of the version with that ARN."""
        return list(self._of_version.get(arn, {}).values())

    def ready(self, revision: str) -> int:
        """Return how many environments of that revision are Ready."""
        siblings = self._of_revision.get(revision, {}).values()
        return sum(environment.state is EnvironmentState.READY for environment in siblings)

    def free_slots(self, revision: str) -> int:
        """Return how many invocations the environments of that revision could take now."""
        siblings = self._of_revision.get(revision, {}).values()
        return sum(
            each.revision.record.slots - each.in_flight
            for each in siblings
            if each.state is EnvironmentState.READY and each.hot is None
        )

    def hosts_of(self, provider: str) -> list[Host]:
        """Return the instances of a capacity provider."""
        return [host for host in self.hosts.values() if host.provider == provider]


def _remove(index: dict[str, dict[str, Environment]], key: str, environment: str) -> None:
    siblings = index.get(key, {})
    siblings.pop(environment, None)
    if not siblings:
        index.pop(key, None)
