"""EC2's instance types that managed instances may be: vCPUs, memory and architecture. Data only.

Compute, general and memory optimised families of the last three generations, C from `xlarge` and M and R from `large`
on, as AWS says of Lambda Managed Instances; without bare metal.
See https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-types.html.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_GIB_PER_VCPU = {"c": 2, "m": 4, "r": 8}
_SIZES = {"large": 2, "xlarge": 4} | {f"{n}xlarge": 4 * n for n in (2, 4, 8, 12, 16, 24, 32, 48, 96)}

_TO_16 = tuple(_SIZES)[:7]
_TO_24_48 = (*tuple(_SIZES)[:8], "48xlarge")
_TO_32 = tuple(_SIZES)[:9]
_TO_48 = tuple(_SIZES)[:10]
_TO_96 = tuple(_SIZES)

_LINES: tuple[tuple[str, str, str, tuple[str, ...]], ...] = (
    # Families, generation and variant, architecture, sizes; of one size, the line that comes first is launched.
    ("cmr", "8g", "arm64", _TO_24_48),
    ("cmr", "7g", "arm64", _TO_16),
    ("cmr", "6g", "arm64", _TO_16),
    ("cmr", "8gd", "arm64", _TO_24_48),
    ("cmr", "7gd", "arm64", _TO_16),
    ("cmr", "6gd", "arm64", _TO_16),
    ("c", "7gn", "arm64", _TO_16),
    ("c", "6gn", "arm64", _TO_16),
    ("cmr", "8i", "x86_64", _TO_96),
    ("cmr", "7i", "x86_64", _TO_24_48),
    ("cmr", "7a", "x86_64", _TO_48),
    ("cmr", "6i", "x86_64", _TO_32),
    ("cmr", "6a", "x86_64", _TO_48),
    ("cmr", "6id", "x86_64", _TO_32),
    ("cmr", "6in", "x86_64", _TO_32),
    ("mr", "6idn", "x86_64", _TO_32),
)


@dataclass(frozen=True, slots=True)
class InstanceType:
    """A type of instance.

    Attributes:
        name: EC2's, such as `m7g.large`.
        vcpus: that it has.
        memory: MiB that it has.
        architecture: `x86_64` or `arm64`.
    """

    name: str
    vcpus: int
    memory: int
    architecture: str

    def holds(self, vcpus: float, memory: int) -> int:
        """Return how many environments of `vcpus` and `memory` (MiB) fit on one such instance."""
        return min(int(self.vcpus / vcpus + 1e-9), self.memory // memory)


def _all() -> Iterator[InstanceType]:
    for families, line, architecture, sizes in _LINES:
        for family in families:
            for size in sizes:
                if family == "c" and size == "large":
                    continue
                vcpus = _SIZES[size]
                yield InstanceType(f"{family}{line}.{size}", vcpus, vcpus * _GIB_PER_VCPU[family] * 1024, architecture)


INSTANCE_TYPES: Mapping[str, InstanceType] = MappingProxyType({each.name: each for each in _all()})
"""Every type by its name."""


def select(architecture: str, allowed: Sequence[str] = (), excluded: Sequence[str] = ()) -> tuple[InstanceType, ...]:
    """Return the types that a capacity provider may use, the smallest first; of equals, the newest generation first.

    Args:
        architecture: `x86_64` or `arm64`.
        allowed: names, or patterns with `*` such as `m7g.*`; none at all: every type.
        excluded: likewise, of types that it may not use.
    """
    chosen = [
        each
        for each in INSTANCE_TYPES.values()
        if each.architecture == architecture
        and (not allowed or _matches(each.name, allowed))
        and not _matches(each.name, excluded)
    ]
    return tuple(sorted(chosen, key=lambda each: (each.vcpus, each.memory)))


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), name) for pattern in patterns)
