"""What is wanted of a plane, as the store keeps it. AWS's shapes are documents: dictionaries with AWS's member names."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

LATEST = "$LATEST"
LATEST_PUBLISHED = "$LATEST.PUBLISHED"

Document = dict[str, Any]
"""A shape of botocore's Lambda model, such as FunctionConfiguration; times are texts as the API gives them."""

DEFAULT_MIN_ENVIRONMENTS = 3
DEFAULT_MEMORY_PER_VCPU = 2.0  # GiB
DEFAULT_MAX_VCPUS = 400
SLOTS_PER_VCPU = {"python": 16, "nodejs": 64, "java": 32, "dotnet": 32}
DEFAULT_SLOTS_PER_VCPU = 8  # of runtimes that bring their own


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderRecord:
    """A capacity provider.

    Attributes:
        name: of the capacity provider.
        document: its `CapacityProvider` shape, without `State`, which is observed.
        tags: key and value.
        deleting: it was deleted, and goes when nothing of it is left.
    """

    name: str
    document: Document
    tags: dict[str, str] = field(default_factory=dict[str, str])
    deleting: bool = False

    @property
    def arn(self) -> str:
        """Its ARN."""
        return self.document["CapacityProviderArn"]

    @property
    def architecture(self) -> str:
        """`x86_64` or `arm64`."""
        return (_inner(self.document, "InstanceRequirements").get("Architectures") or ["x86_64"])[0]

    @property
    def allowed_types(self) -> tuple[str, ...]:
        """Patterns of the instance types it may use; empty: any."""
        return tuple(_inner(self.document, "InstanceRequirements").get("AllowedInstanceTypes") or ())

    @property
    def excluded_types(self) -> tuple[str, ...]:
        """Patterns of the instance types it may not use."""
        return tuple(_inner(self.document, "InstanceRequirements").get("ExcludedInstanceTypes") or ())

    @property
    def subnets(self) -> tuple[str, ...]:
        """Subnets; each is one availability zone here."""
        return tuple(self.document["VpcConfig"]["SubnetIds"])

    @property
    def max_vcpus(self) -> int:
        """The vCPUs that its instances may have in all."""
        return _inner(self.document, "CapacityProviderScalingConfig").get("MaxVCpuCount") or DEFAULT_MAX_VCPUS

    @property
    def cpu_target(self) -> float | None:
        """Target of a manual scaling policy as a share, 0 to 1; None: the plane chooses."""
        policies: list[Document] = _inner(self.document, "CapacityProviderScalingConfig").get("ScalingPolicies") or []
        return policies[0]["TargetValue"] / 100 if policies else None


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionRecord:
    """A version of a function: `$LATEST`, `$LATEST.PUBLISHED`, or a number.

    Attributes:
        function_name: name of the function.
        qualifier: which version.
        document: its `FunctionConfiguration` shape, without what is observed (`State`, `StateReason`,
            `StateReasonCode`).
        code: folder with its code, unpacked.
        generation: changes whenever environments that run it must be replaced: another code, or configuration.
        min_environments: as `PutFunctionScalingConfig` wants it.
        max_environments: likewise; None: no limit but the capacity provider's.
        deleting: it was deleted, and goes when nothing of it is left.
    """

    function_name: str
    qualifier: str
    document: Document
    code: str
    generation: str
    min_environments: int = DEFAULT_MIN_ENVIRONMENTS
    max_environments: int | None = None
    deleting: bool = False

    @property
    def arn(self) -> str:
        """Its ARN, with the qualifier: what the fleet knows it by."""
        return (
            f"{self.document['FunctionArn'].partition(':function:')[0]}:function:{self.function_name}:{self.qualifier}"
        )

    @property
    def runs(self) -> bool:
        """Whether it has environments at all: `$LATEST` itself never does."""
        return self.qualifier != LATEST

    @property
    def _managed(self) -> Document:
        return self.document["CapacityProviderConfig"]["LambdaManagedInstancesCapacityProviderConfig"]

    @property
    def provider(self) -> str:
        """Name of its capacity provider."""
        return self._managed["CapacityProviderArn"].rpartition(":")[2]

    @property
    def memory(self) -> int:
        """MiB of an environment."""
        return self.document["MemorySize"]

    @property
    def vcpus(self) -> int:
        """The vCPUs of an environment: its memory divided by the memory of a vCPU, at least 1."""
        ratio = self._managed.get("ExecutionEnvironmentMemoryGiBPerVCpu") or DEFAULT_MEMORY_PER_VCPU
        return max(1, math.floor(self.memory / 1024 / ratio))

    @property
    def slots(self) -> int:
        """Invocations that an environment may hold at once."""
        chosen = self._managed.get("PerExecutionEnvironmentMaxConcurrency")
        if chosen:
            return min(chosen, 64 * self.vcpus)
        family = self.document.get("Runtime", "").rstrip("0123456789.x")
        return SLOTS_PER_VCPU.get(family, DEFAULT_SLOTS_PER_VCPU) * self.vcpus

    @property
    def timeout(self) -> float:
        """Seconds that an invocation may take."""
        return float(self.document["Timeout"])

    @property
    def deactivated(self) -> bool:
        """Whether it is to have no environments."""
        return self.max_environments == 0

    def with_scaling(self, minimum: int, maximum: int | None) -> VersionRecord:
        """Return the same version with another scaling configuration."""
        return replace(self, min_environments=minimum, max_environments=maximum)


def _inner(document: Document, name: str) -> Document:
    """Return a structure inside a document, an empty one when it is not there."""
    return document.get(name) or {}
