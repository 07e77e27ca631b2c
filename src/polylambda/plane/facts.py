"""What the scaler is told and what it says: facts about a fleet, and decisions. Data only."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polylambda.plane.instance_types import InstanceType
    from polylambda.plane.states import EnvironmentState, InstanceState


@dataclass(slots=True)
class ProviderFacts:
    """A capacity provider that is Active.

    Attributes:
        name: of the capacity provider.
        types: that its instances may have, the smallest first, as `instance_types.select` returns them.
        zones: availability zones, in the order of its subnets.
        max_vcpus: that its instances may have in all (`MaxVCpuCount`).
        cpu_target: share of CPU to aim at, 0 to 1; None: the policy's.
    """

    name: str
    types: tuple[InstanceType, ...]
    zones: tuple[str, ...]
    max_vcpus: int
    cpu_target: float | None = None


@dataclass(slots=True)
class VersionFacts:
    """A function version that is to run.

    Attributes:
        id: names it; the same until it is to be replaced.
        provider: name of its capacity provider.
        vcpus: of one environment.
        memory: MiB of one environment.
        slots: invocations that one environment may hold at once.
        minimum: environments at least.
        maximum: environments at most; None: no limit but the capacity provider's; 0: deactivated.
        refusals: invocations that nobody could take since the last tick.
    """

    id: str
    provider: str
    vcpus: float
    memory: int
    slots: int
    minimum: int
    maximum: int | None
    refusals: int = 0


@dataclass(slots=True)
class InstanceFacts:
    """An instance that was launched and has not ended.

    Attributes:
        id: as the scaler named it.
        provider: name of its capacity provider.
        type: of instance.
        zone: availability zone.
        state: observed.
        launched_at: seconds of plane time.
    """

    id: str
    provider: str
    type: InstanceType
    zone: str
    state: InstanceState
    launched_at: float


@dataclass(slots=True)
class EnvironmentFacts:
    """An environment that was started. One that is FAILED or DEAD must be shown so in at least one tick.

    Attributes:
        id: as the scaler named it.
        version: `VersionFacts.id`.
        instance: `InstanceFacts.id`.
        state: observed; STARTING from the decision on, also while its instance is Pending.
        cpu: mean share of its vCPUs since the last tick, 0 to 1.
        slots_in_use: mean share of its slots since the last tick, 0 to 1.
        settled: it has been Ready for long enough that it works; should it end, its start is not to blame.
    """

    id: str
    version: str
    instance: str
    state: EnvironmentState
    cpu: float = 0.0
    slots_in_use: float = 0.0
    settled: bool = False


@dataclass(slots=True)
class Facts:
    """A fleet as it is. Versions and providers that are being deleted are not in it, what still runs of them is."""

    providers: Sequence[ProviderFacts]
    versions: Sequence[VersionFacts]
    instances: Sequence[InstanceFacts]
    environments: Sequence[EnvironmentFacts]


@dataclass(frozen=True, slots=True)
class Launch:
    """An instance is to be launched. It is Pending in the facts of the next tick."""

    id: str
    provider: str
    type: InstanceType
    zone: str


@dataclass(frozen=True, slots=True)
class Start:
    """An environment is to be started, as soon as its instance is Running."""

    id: str
    version: str
    instance: str


@dataclass(slots=True)
class Decisions:
    """What is to be done now. What was not done is decided again at the next tick.

    Attributes:
        launch: instances.
        start: environments; perhaps on an instance of `launch`.
        drain: ids of environments, which end when they have no invocation.
        drain_instances: ids of instances that get no further environment; those on them are in `drain`.
        terminate: ids of instances that are empty, unhealthy or failed.
        wanted: environments that each version should have, by its id.
        blocked: versions that have fewer than that and cannot get them: AWS's StateReasonCode, and a sentence.
    """

    launch: list[Launch] = field(default_factory=list[Launch])
    start: list[Start] = field(default_factory=list[Start])
    drain: list[str] = field(default_factory=list[str])
    drain_instances: list[str] = field(default_factory=list[str])
    terminate: list[str] = field(default_factory=list[str])
    wanted: dict[str, int] = field(default_factory=dict[str, int])
    blocked: dict[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])
