"""What there is, and what a plane can be told when it is started."""

from __future__ import annotations

from pathlib import Path

import pytest

from polylambda.errors import ConfigurationError
from polylambda.plane.fleet import Environment, Fleet, Host, Revision
from polylambda.plane.instance_types import INSTANCE_TYPES
from polylambda.plane.options import PlaneOptions, default_cores_per_vcpu
from polylambda.plane.router import Cause
from polylambda.plane.states import EnvironmentState, IllegalStep, InstanceState
from tests.unit.plane_records import version

TYPE = INSTANCE_TYPES["m7i.large"]


@pytest.fixture
def fleet() -> Fleet:
    """Two instances; an environment of version 1 on each, one of version 2 on the second."""
    fleet = Fleet()
    for host in ("i-1", "i-2"):
        fleet.add_host(Host(host, "pool", TYPE, "us-east-1a", 0.0))
    for name, qualifier, host in (("a", "1", "i-1"), ("b", "1", "i-2"), ("c", "2", "i-2")):
        fleet.add_environment(Environment(name, Revision(version(qualifier=qualifier)), host))
    return fleet


def test_environments_are_found_by_version_revision_and_instance(fleet: Fleet) -> None:
    one = version(qualifier="1")
    assert [each.id for each in fleet.environments_of(one.arn)] == ["a", "b"]
    assert set(fleet.hosts["i-2"].environments) == {"b", "c"}
    assert fleet.ready(Revision(one).id) == 0
    fleet.environments["a"].become(EnvironmentState.READY)
    assert fleet.ready(Revision(one).id) == 1
    assert [host.id for host in fleet.hosts_of("pool")] == ["i-1", "i-2"]
    assert fleet.hosts_of("other") == []


def test_what_has_ended_can_be_forgotten_in_any_order(fleet: Fleet) -> None:
    fleet.remove_host(fleet.hosts["i-2"])
    for name in ("a", "b", "c"):
        fleet.remove_environment(fleet.environments[name])
    assert fleet.environments_of(version(qualifier="1").arn) == []
    assert fleet.hosts["i-1"].environments == {}
    assert fleet.environments == {}


def test_another_generation_is_another_revision() -> None:
    assert Revision(version(generation="a")).id != Revision(version(generation="b")).id
    assert Revision(version()).id == Revision(version().with_scaling(1, 2)).id


def test_free_slots_are_those_of_ready_environments_that_are_not_hot(fleet: Fleet) -> None:
    revision = Revision(version(qualifier="1")).id
    assert fleet.free_slots(revision) == 0
    for name in ("a", "b"):
        fleet.environments[name].become(EnvironmentState.READY)
    fleet.environments["a"].begin(0)
    assert fleet.free_slots(revision) == 4 + 4 - 1
    fleet.environments["b"].measure(1.0, 10, Cause.CPU)
    assert fleet.free_slots(revision) == 4 - 1


def test_lives_go_one_way(fleet: Fleet) -> None:
    environment, host = fleet.environments["a"], fleet.hosts["i-1"]
    environment.become(EnvironmentState.DEAD)
    assert environment.ended
    with pytest.raises(IllegalStep, match="environment a cannot go from Dead to Ready"):
        environment.become(EnvironmentState.READY)
    with pytest.raises(IllegalStep, match="instance i-1 cannot go from Pending to Draining"):
        host.become(InstanceState.DRAINING)
    assert host.client is None


@pytest.mark.parametrize(("cores", "worth"), [(1, 0.25), (2, 0.25), (6, 0.5), (12, 1.0), (64, 1.0)])
def test_a_vcpu_is_worth_what_lets_the_minimum_fleet_fit(cores: int, worth: float) -> None:
    assert default_cores_per_vcpu(cores) == worth


@pytest.mark.parametrize(
    ("host", "public"),
    [
        ("127.0.0.1", False),
        ("::1", False),
        ("localhost", False),
        ("0.0.0.0", True),
        ("::", True),
        ("example.com", True),
    ],
)
def test_a_public_plane_needs_credentials(tmp_path: Path, host: str, public: bool) -> None:
    assert PlaneOptions(data_dir=tmp_path, host=host, credentials_file=tmp_path / "keys").public is public
    if public:
        with pytest.raises(ConfigurationError, match=r"--credentials-file.*127\.0\.0\.1"):
            PlaneOptions(data_dir=tmp_path, host=host)
    else:
        PlaneOptions(data_dir=tmp_path, host=host)


def test_everything_is_in_the_data_directory(tmp_path: Path) -> None:
    options = PlaneOptions(data_dir=tmp_path)
    assert {options.logs.parent, options.instances.parent, options.status_file.parent} == {tmp_path}
