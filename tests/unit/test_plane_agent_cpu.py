"""Control groups, in folders that stand for the kernel's."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import psutil
import pytest

from polylambda.plane.agent import cpu
from polylambda.plane.agent.cpu import ControlGroups, Nice, cpu_shares
from polylambda.plane.agent.stale import name_of


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A /sys/fs/cgroup with nothing in it."""
    monkeypatch.setattr(cpu, "_ROOT", tmp_path)
    monkeypatch.setattr(cpu, "_OWN", tmp_path / "own")
    return tmp_path


def test_version_1(kernel: Path) -> None:
    (kernel / "own").write_text("3:cpuset:/\n1:cpu,cpuacct:/slice\n0::/\n")
    (kernel / "cpu,cpuacct" / "slice").mkdir(parents=True)
    shares = cpu_shares("i-1")
    assert isinstance(shares, ControlGroups)
    assert "version 1" in shares.sentence
    group = kernel / "cpu,cpuacct" / "slice" / name_of("i-1") / "e1"
    shares.enter("e1", 77)
    assert (group / "cgroup.procs").read_text() == "77"
    assert not (group / "cpu.cfs_quota_us").exists()  # an init may have what is free
    shares.limit("e1", 0.25)
    assert (group / "cpu.cfs_quota_us").read_text() == "25000"
    assert (group / "cpu.cfs_period_us").read_text() == "100000"
    shares.limit("e1", 0.0001)
    assert (group / "cpu.cfs_quota_us").read_text() == "1000"


def test_version_2(kernel: Path) -> None:
    (kernel / "own").write_text("0::/\n")
    (kernel / "cgroup.procs").touch()
    shares = cpu_shares("i-1")
    assert "version 2" in shares.sentence
    shares.enter("e1", 77)
    shares.limit("e1", 2.0)
    assert (kernel / name_of("i-1") / "e1" / "cpu.max").read_text() == "200000 100000"


def test_neither(kernel: Path) -> None:
    assert isinstance(cpu_shares("i-1"), Nice)
    (kernel / "own").write_text("0::/elsewhere\n1:cpu:/elsewhere\n")
    assert isinstance(cpu_shares("i-1"), Nice)


def test_a_group_that_cannot_be_made(kernel: Path) -> None:
    (kernel / "own").write_text("1:cpu:/\n")
    (kernel / "cpu").mkdir()
    (kernel / "cpu" / name_of("i-1")).mkdir()  # one of the same name, as if another agent ran
    shares = cpu_shares("i-1")
    assert isinstance(shares, Nice)
    assert "low priority" in shares.sentence
    shares.enter("e1", 2**22 + 1)  # nobody has this process id
    shares.limit("e1", 1.0)
    shares.release("e1")
    shares.close()


def test_what_dead_agents_left_is_removed(kernel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (kernel / "own").write_text("1:cpu:/\n")
    mine = name_of("i-1")
    for name in ("polylambda-agent-77-i-2/e1", "polylambda-agent-77-i-2/e2", "polylambda-agent-88-i-3/e1", "other"):
        (kernel / "cpu" / name).mkdir(parents=True)
    monkeypatch.setattr(psutil, "pid_exists", lambda pid: pid == 88)
    shares = cpu_shares("i-1")
    assert sorted(os.listdir(kernel / "cpu")) == sorted(["other", "polylambda-agent-88-i-3", mine])
    (group,) = shares.folders
    shutil.rmtree(group / "probe")  # the kernel's files go with their folders
    cpu.remove_groups(group)
    cpu.remove_groups(group)
    assert sorted(os.listdir(kernel / "cpu")) == ["other", "polylambda-agent-88-i-3"]
