"""How many CPUs this environment may use: its affinity and its control group, not what the host has."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def count_vcpus(read: Callable[[str], str] | None = None) -> int:
    """Return the CPUs that this process may use, at least 1; a fraction counts as a whole one.

    Args:
        read: returns the text of a file or raises OSError; by default the file system's.
    """
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = cgroup_quota(read or _read)
    if quota is not None:
        cpus = min(cpus, -int(-quota // 1))
    return max(cpus, 1)


def cgroup_quota(read: Callable[[str], str]) -> float | None:
    """Return the CPUs that the control groups (version 1 or 2) of this process grant, None when they do not limit.

    The smallest quota on the way up counts. See https://docs.kernel.org/admin-guide/cgroup-v2.html#cpu-interface-files.
    """
    quotas: list[float] = []
    try:
        memberships = read("/proc/self/cgroup").splitlines()
    except OSError:
        return None
    for line in memberships:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if not controllers:
            quotas += _walk("/sys/fs/cgroup", path, read, _quota_v2)
        elif "cpu" in controllers.split(","):
            for mount in ("/sys/fs/cgroup/cpu", f"/sys/fs/cgroup/{controllers}"):
                quotas += _walk(mount, path, read, _quota_v1)
    return min(quotas, default=None)


def _walk(
    mount: str, path: str, read: Callable[[str], str], quota_of: Callable[[str, Callable[[str], str]], float | None]
) -> list[float]:
    """The quotas of a group and of those above it. In a container its path may not exist: then its root is what it sees."""
    found: list[float] = []
    parts = [part for part in path.split("/") if part and part != ".."]
    while True:
        try:
            quota = quota_of("/".join([mount, *parts]), read)
        except (OSError, ValueError):
            quota = None
        if quota is not None:
            found.append(quota)
        if not parts:
            return found
        parts.pop()


def _quota_v2(folder: str, read: Callable[[str], str]) -> float | None:
    quota, period = read(f"{folder}/cpu.max").split()
    return None if quota == "max" else int(quota) / int(period)


def _quota_v1(folder: str, read: Callable[[str], str]) -> float | None:
    quota = int(read(f"{folder}/cpu.cfs_quota_us"))
    return None if quota <= 0 else quota / int(read(f"{folder}/cpu.cfs_period_us"))


def _read(path: str) -> str:
    with open(path, encoding="ascii", errors="replace") as file:
        return file.read()
