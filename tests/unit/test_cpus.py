"""How many CPUs an environment may use, told from the texts that the kernel gives."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from polylambda.runtime.cpus import cgroup_quota, count_vcpus


def from_texts(texts: dict[str, str]) -> Callable[[str], str]:
    """What reads the files with these texts, and has no others."""

    def read(path: str) -> str:
        if path not in texts:
            raise FileNotFoundError(path)
        return texts[path]

    return read


V2 = "0::/app/worker\n"
V1 = "12:pids:/app\n4:cpu,cpuacct:/app/worker\n1:name=systemd:/\n"

QUOTAS: dict[str, tuple[dict[str, str], float | None]] = {
    "no control groups": ({}, None),
    "nothing is limited": ({"/proc/self/cgroup": V2}, None),
    "v2, max": ({"/proc/self/cgroup": V2, "/sys/fs/cgroup/app/worker/cpu.max": "max 100000\n"}, None),
    "v2": ({"/proc/self/cgroup": V2, "/sys/fs/cgroup/app/worker/cpu.max": "150000 100000\n"}, 1.5),
    "v2, the parent has less": (
        {
            "/proc/self/cgroup": V2,
            "/sys/fs/cgroup/app/worker/cpu.max": "400000 100000\n",
            "/sys/fs/cgroup/app/cpu.max": "200000 100000\n",
        },
        2.0,
    ),
    "v2, the parent has more": (
        {
            "/proc/self/cgroup": V2,
            "/sys/fs/cgroup/app/worker/cpu.max": "50000 100000\n",
            "/sys/fs/cgroup/app/cpu.max": "max 100000\n",
            "/sys/fs/cgroup/cpu.max": "800000 100000\n",
        },
        0.5,
    ),
    "v2, in a container": ({"/proc/self/cgroup": "0::/../outside\n", "/sys/fs/cgroup/cpu.max": "300000 100000"}, 3.0),
    "v2, the root": ({"/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/cpu.max": "250000 100000"}, 2.5),
    "v2, garbage": ({"/proc/self/cgroup": V2, "/sys/fs/cgroup/cpu.max": "many"}, None),
    "v1": (
        {
            "/proc/self/cgroup": V1,
            "/sys/fs/cgroup/cpu/app/worker/cpu.cfs_quota_us": "200000\n",
            "/sys/fs/cgroup/cpu/app/worker/cpu.cfs_period_us": "100000\n",
        },
        2.0,
    ),
    "v1, no limit": (
        {
            "/proc/self/cgroup": V1,
            "/sys/fs/cgroup/cpu/app/worker/cpu.cfs_quota_us": "-1\n",
            "/sys/fs/cgroup/cpu/app/worker/cpu.cfs_period_us": "100000\n",
        },
        None,
    ),
    "v1, mounted by the names of both controllers": (
        {
            "/proc/self/cgroup": V1,
            "/sys/fs/cgroup/cpu,cpuacct/app/cpu.cfs_quota_us": "75000\n",
            "/sys/fs/cgroup/cpu,cpuacct/app/cpu.cfs_period_us": "50000\n",
        },
        1.5,
    ),
    "v1, in a container": (
        {
            "/proc/self/cgroup": V1,
            "/sys/fs/cgroup/cpu/cpu.cfs_quota_us": "100000\n",
            "/sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
        },
        1.0,
    ),
    "v1, another controller's": (
        {
            "/proc/self/cgroup": "3:cpuset:/app\n",
            "/sys/fs/cgroup/cpu/app/cpu.cfs_quota_us": "100000\n",
            "/sys/fs/cgroup/cpu/app/cpu.cfs_period_us": "100000\n",
        },
        None,
    ),
    "both versions": (
        {
            "/proc/self/cgroup": V1 + V2,
            "/sys/fs/cgroup/app/worker/cpu.max": "300000 100000\n",
            "/sys/fs/cgroup/cpu/app/worker/cpu.cfs_quota_us": "200000\n",
            "/sys/fs/cgroup/cpu/app/worker/cpu.cfs_period_us": "100000\n",
        },
        2.0,
    ),
}


@pytest.mark.parametrize("case", QUOTAS)
def test_the_quota_of_the_control_groups(case: str) -> None:
    texts, quota = QUOTAS[case]
    assert cgroup_quota(from_texts(texts)) == quota


@pytest.fixture
def affinity(monkeypatch: pytest.MonkeyPatch) -> None:
    """The scheduler lets this process use four CPUs."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1, 4, 7}, raising=False)


def limited_to(quota: str) -> Callable[[str], str]:
    return from_texts({"/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/cpu.max": f"{quota} 100000"})


@pytest.mark.usefixtures("affinity")
@pytest.mark.parametrize(
    ("quota", "vcpus"), [("max", 4), ("800000", 4), ("400000", 4), ("200000", 2), ("200001", 3), ("5000", 1), ("0", 1)]
)
def test_the_smaller_of_affinity_and_quota_counts(quota: str, vcpus: int) -> None:
    assert count_vcpus(limited_to(quota)) == vcpus


def test_without_an_affinity_the_machines_cpus_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    assert count_vcpus(from_texts({})) == 3
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert count_vcpus(from_texts({})) == 1


def test_this_machine_has_one_at_least() -> None:
    assert 1 <= count_vcpus() <= (os.cpu_count() or 1)
