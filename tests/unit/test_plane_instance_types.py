from __future__ import annotations

import pytest

from polylambda.plane.instance_types import INSTANCE_TYPES, InstanceType, select


@pytest.mark.parametrize(
    ("name", "vcpus", "gib", "architecture"),
    [
        ("m7g.large", 2, 8, "arm64"),
        ("c7g.xlarge", 4, 8, "arm64"),
        ("r8g.48xlarge", 192, 1536, "arm64"),
        ("m6i.32xlarge", 128, 512, "x86_64"),
        ("c7a.48xlarge", 192, 384, "x86_64"),
        ("r6g.16xlarge", 64, 512, "arm64"),
        ("m8i.96xlarge", 384, 1536, "x86_64"),
    ],
)
def test_types_are_as_ec2_says(name: str, vcpus: int, gib: int, architecture: str) -> None:
    assert INSTANCE_TYPES[name] == InstanceType(name, vcpus, gib * 1024, architecture)


@pytest.mark.parametrize("name", ["c7g.large", "m7g.32xlarge", "m7i.metal", "t3.large", "m7g.medium"])
def test_there_are_no_others(name: str) -> None:
    assert name not in INSTANCE_TYPES


def test_every_type_is_of_its_family() -> None:
    for name, kind in INSTANCE_TYPES.items():
        assert kind.name == name
        assert kind.memory == kind.vcpus * 1024 * {"c": 2, "m": 4, "r": 8}[name[0]]
        assert (kind.architecture == "arm64") == ("g" in name.partition(".")[0])
    assert len(INSTANCE_TYPES) > 300


@pytest.mark.parametrize("architecture", ["x86_64", "arm64"])
def test_selects_by_architecture_the_smallest_first(architecture: str) -> None:
    chosen = select(architecture)
    assert {kind.architecture for kind in chosen} == {architecture}
    assert [kind.vcpus for kind in chosen] == sorted(kind.vcpus for kind in chosen)
    assert chosen[0].name == {"x86_64": "m8i.large", "arm64": "m8g.large"}[architecture]


def test_selects_by_patterns() -> None:
    assert {kind.name for kind in select("arm64", ["m7g.large", "c7g.*xlarge"])} == {
        "m7g.large", "c7g.xlarge", *(f"c7g.{n}xlarge" for n in (2, 4, 8, 12, 16))
    }  # fmt: skip
    assert not {kind.name for kind in select("arm64", [], ["m*", "r*", "c8*"])} & {"m7g.large", "c8g.xlarge"}
    assert select("x86_64", ["m7g.*"]) == ()
    assert [kind.name for kind in select("x86_64", ["m7i.*"], ["*.?xlarge", "*.24xlarge", "*.[!a]*"])] == [
        kind.name for kind in select("x86_64", ["m7i.*"], ["*.24xlarge"])
    ]


@pytest.mark.parametrize(
    ("vcpus", "memory", "count"), [(1, 2048, 2), (1, 8192, 1), (2, 2048, 1), (4, 2048, 0), (0.1, 100, 20)]
)
def test_counts_what_fits(vcpus: float, memory: int, count: int) -> None:
    assert INSTANCE_TYPES["m7g.large"].holds(vcpus, memory) == count
