"""Where environments go: which zone, which instance, and when another instance is needed. No I/O and no clock.

A `Book` is made for one capacity provider and one tick, and written on while decisions are made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from polylambda.plane.facts import Launch, Start
from polylambda.plane.states import EnvironmentState, InstanceState

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from polylambda.plane.demand import Policy
    from polylambda.plane.facts import EnvironmentFacts, InstanceFacts, ProviderFacts, VersionFacts
    from polylambda.plane.instance_types import InstanceType

Reason = tuple[str, str]
"""AWS's StateReasonCode, and a sentence."""

_ALIVE = (EnvironmentState.STARTING, EnvironmentState.READY)
_THERE = (InstanceState.PENDING, InstanceState.RUNNING)


class Host:
    """An instance and what is on it.

    Attributes:
        id: of the instance.
        type: of the instance.
        zone: of the instance.
        vcpus: that are free.
        memory: MiB that are free.
        alive: how many environments of each version are STARTING or READY on it.
        environments: that are on it, draining ones too.
        spared: what is on it was found to fit elsewhere.
    """

    __slots__ = ("alive", "environments", "id", "memory", "spared", "type", "vcpus", "zone")

    def __init__(self, name: str, kind: InstanceType, zone: str) -> None:
        self.id = name
        self.type = kind
        self.zone = zone
        self.vcpus = float(kind.vcpus)
        self.memory = kind.memory
        self.alive: dict[str, int] = {}
        self.environments: list[EnvironmentFacts] = []
        self.spared = False

    @property
    def used(self) -> float:
        """Its vCPUs that are given away."""
        return self.type.vcpus - self.vcpus

    def fits(self, version: VersionFacts, *, alone: bool) -> bool:
        """Say whether an environment fits; `alone`: and none of its version is there."""
        return (
            self.vcpus >= version.vcpus - 1e-9
            and self.memory >= version.memory
            and not (alone and self.alive.get(version.id))
        )

    def take(self, version: VersionFacts) -> None:
        """Give an environment room."""
        self.vcpus -= version.vcpus
        self.memory -= version.memory
        self.alive[version.id] = self.alive.get(version.id, 0) + 1


class Book:
    """The instances of one capacity provider, what is on them, and what is decided about them.

    Args:
        provider: the capacity provider.
        instances: its instances.
        environments: those on its instances that are STARTING, READY or DRAINING.
        versions: by their ids.
        leaving: ids of instances that get nothing more.
        policy: the numbers.
        new_id: as the scaler's.

    Attributes:
        launches: instances to launch.
        starts: environments to start.
    """

    def __init__(
        self,
        provider: ProviderFacts,
        instances: Iterable[InstanceFacts],
        environments: Iterable[EnvironmentFacts],
        versions: Mapping[str, VersionFacts],
        *,
        leaving: Collection[str],
        policy: Policy,
        new_id: Callable[[str], str],
    ) -> None:
        self.launches: list[Launch] = []
        self.starts: list[Start] = []
        self._provider = provider
        self._policy = policy
        self._new_id = new_id
        self._vcpus = 0  # of all instances that there are, whatever their state
        self._hosts: dict[str, Host] = {}
        self._sizes = dict.fromkeys(provider.zones, 0)  # vCPUs of `hosts`, by zone
        self._counts: dict[str, dict[str, int]] = {}  # environments that stay, by version and zone
        self._spans: dict[str, int] = {}  # on how many instances a version is
        self._going: set[str] = set()  # environments that `surplus` chose
        self._moved: set[str] = set()  # instances that are to take what `spare` takes from others
        for instance in instances:
            self._vcpus += instance.type.vcpus
            if instance.state in _THERE and instance.id not in leaving:
                self._add(Host(instance.id, instance.type, instance.zone))
        self._fill(environments, versions)
        # Most of a large fleet is full, and need not be looked at for every environment.
        least = min((version.vcpus for version in versions.values()), default=0.0) - 1e-9
        self._open: dict[str, list[Host]] = {zone: [] for zone in provider.zones}
        for host in self._hosts.values():
            if host.vcpus >= least and host.zone in self._open:
                self._open[host.zone].append(host)

    @property
    def hosts(self) -> Mapping[str, Host]:
        """The instances that may get environments, by their ids."""
        return self._hosts

    @property
    def budget(self) -> int:
        """The vCPUs that may still be launched."""
        return self._provider.max_vcpus - self._vcpus

    def place(self, version: VersionFacts, *, may_launch: bool = True) -> Reason | None:
        """Start one more environment of `version`; return why it cannot be, when it cannot.

        It goes to a zone with the fewest of its version; there to the fullest instance on which it fits (one without its
        version, until it is on as many as `Policy.spread`), or else to a new one. Only when the provider may not grow it
        goes wherever there is room, for that is worth more than evenness then; but for the first few.
        """
        counts, spread = self._count(version.id), self._policy.spread
        alone = self._spans.get(version.id, 0) < spread
        fewest = min(counts.values())
        even = [zone for zone in counts if counts[zone] == fewest]
        host = self._fullest(version, even, alone=alone)
        if host is None:
            kind = self._type(version) if may_launch else None
            few = sum(counts.values()) < spread
            host = self._launch(kind, even) if kind else self._fullest(version, counts, alone=few)
        if host is None:
            return self._reason(version, may_launch=may_launch)
        host.take(version)
        counts[host.zone] += 1
        self._spans[version.id] = self._spans.get(version.id, 0) + (host.alive[version.id] == 1)
        self.starts.append(Start(self._new_id("environment"), version.id, host.id))
        return None

    def unevenness(self, version: VersionFacts) -> int:
        """Return how many environments of a version would have to be in another zone."""
        counts = sorted(self._count(version.id).values())
        moves = 0
        while counts[-1] - counts[0] >= 2:
            counts = sorted([counts[0] + 1, *counts[1:-1], counts[-1] - 1])
            moves += 1
        return moves

    def surplus(self, version: VersionFacts, count: int) -> list[str]:
        """Choose `count` environments of a version that are to go: of the fullest zone, from the emptiest instances."""
        zones: dict[str, list[tuple[bool, float, float, str, str]]] = {}
        left = {host.id: host.alive[version.id] for host in self._hosts.values() if host.alive.get(version.id)}
        for name in left:
            host = self._hosts[name]
            zones.setdefault(host.zone, []).extend(
                # First what does not serve yet.
                (each.state is EnvironmentState.READY, host.used, each.slots_in_use, each.id, name)
                for each in host.environments
                if each.version == version.id and each.state in _ALIVE and each.id not in self._going
            )
        zones = {zone: sorted(each, reverse=True) for zone, each in zones.items() if each}
        hosts = len(left)
        gone: list[str] = []
        while len(gone) < count and zones:
            zone = max(zones, key=lambda zone: len(zones[zone]))
            several = zones[zone]
            last = len(several) - 1
            # The last few instances keep one each.
            candidates = (index for index in range(last, -1, -1) if left[several[index][-1]] > 1)
            _, _, _, name, host = several.pop(next(candidates, last) if hosts <= self._policy.spread else last)
            gone.append(name)
            self._going.add(name)
            self._count(version.id)[zone] -= 1
            left[host] -= 1
            self._hosts[host].alive[version.id] -= 1
            if not left[host]:
                hosts -= 1
                self._spans[version.id] -= 1
            if not several:
                del zones[zone]
        return gone

    def spare(self, host: Host, versions: Mapping[str, VersionFacts]) -> bool:
        """Say whether all that is on `host` fits on the zone's other instances; if so, count it as being there."""
        if host.id in self._moved:
            return False
        others = [other for other in self._open.get(host.zone, ()) if other is not host and not other.spared]
        rooms = {other.id: (other.vcpus, other.memory) for other in others}
        taken: list[tuple[Host, str]] = []
        for each in host.environments:
            version = versions.get(each.version)
            if version is None or each.state is not EnvironmentState.READY:
                break
            # What is on instances of its own stays so.
            alone = self._spans[version.id] <= self._policy.spread
            fitting = [other for other in others if other.fits(version, alone=alone)]
            if not fitting:
                break
            other = min(fitting, key=lambda other: other.vcpus)
            other.take(version)
            taken.append((other, version.id))
        if len(taken) == len(host.environments):
            host.spared = True
            self._moved.update(other.id for other, _ in taken)
            return True
        for other, name in taken:
            other.alive[name] -= 1
            other.vcpus, other.memory = rooms[other.id]
        return False

    def _add(self, host: Host) -> None:
        self._hosts[host.id] = host
        self._sizes[host.zone] = self._sizes.get(host.zone, 0) + host.type.vcpus

    def _fill(self, environments: Iterable[EnvironmentFacts], versions: Mapping[str, VersionFacts]) -> None:
        draining = EnvironmentState.DRAINING
        for each in environments:
            host = self._hosts.get(each.instance)
            if host is None:
                continue
            host.environments.append(each)
            version = versions.get(each.version)
            if version is None:
                # Of a version that was deleted: how much room it takes is not known any more, so nothing joins it.
                host.vcpus = 0.0
                continue
            host.vcpus -= version.vcpus
            host.memory -= version.memory
            if each.state is not draining:
                name = version.id
                here = host.alive[name] = host.alive.get(name, 0) + 1
                if here == 1:
                    self._spans[name] = self._spans.get(name, 0) + 1
                counts = self._counts.get(name) or self._count(name)
                counts[host.zone] = counts.get(host.zone, 0) + 1

    def _count(self, version: str) -> dict[str, int]:
        counts = self._counts.get(version)
        if counts is None:
            counts = self._counts[version] = dict.fromkeys(self._provider.zones, 0)
        return counts

    def _fullest(self, version: VersionFacts, zones: Iterable[str], *, alone: bool) -> Host | None:
        best = None
        for zone in zones:
            for host in self._open.get(zone, ()):
                if (best is None or host.vcpus < best.vcpus) and host.fits(version, alone=alone):
                    best = host
        return best

    def _type(self, version: VersionFacts) -> InstanceType | None:
        """Return the smallest type on which several such environments fit; failing that, one."""
        fallback = None
        for kind in self._provider.types:
            if kind.vcpus > self.budget:
                break
            holds = kind.holds(version.vcpus, version.memory)
            if holds >= self._policy.room:
                return kind
            if holds and fallback is None:
                fallback = kind
        return fallback

    def _launch(self, kind: InstanceType, zones: Iterable[str]) -> Host:
        zone = min(zones, key=lambda zone: self._sizes[zone])
        host = Host(self._new_id("instance"), kind, zone)
        self._vcpus += kind.vcpus
        self._add(host)
        self._open[zone].append(host)
        self.launches.append(Launch(host.id, self._provider.name, kind, zone))
        return host

    def _reason(self, version: VersionFacts, *, may_launch: bool) -> Reason:
        name, need = self._provider.name, f"{version.vcpus:g} vCPUs and {version.memory} MiB"
        fitting = [kind for kind in self._provider.types if kind.holds(version.vcpus, version.memory)]
        if not fitting:
            return "InsufficientCapacity", (
                f"No instance type that capacity provider {name} may use has {need} for an environment. "
                "Allow it larger instance types."
            )
        if not may_launch:
            return "InsufficientCapacity", (
                f"The last instances of capacity provider {name} failed to launch; it is tried again after a pause."
            )
        return "CapacityProviderScalingLimitExceeded", (
            f"Capacity provider {name} uses {self._vcpus} of the {self._provider.max_vcpus} vCPUs of its MaxVCpuCount, "
            f"and another {fitting[0].name} needs {fitting[0].vcpus}. Raise MaxVCpuCount, or lower the environments."
        )
