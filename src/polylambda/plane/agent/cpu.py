"""Holding environments to their vCPUs: control groups where this user may make them, else nice.

https://docs.kernel.org/admin-guide/cgroup-v2.html, https://docs.kernel.org/scheduler/sched-bwc.html
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Protocol

from polylambda.plane.agent.stale import name_of, remove_stale

PERIOD = 100_000  # microseconds over which a share is reckoned
MIN_QUOTA = 1_000  # microseconds: the kernel takes no less
NICE = 10

_ROOT = Path("/sys/fs/cgroup")
_OWN = Path("/proc/self/cgroup")


class CpuShares(Protocol):
    """A way to hold processes to a share of this machine's cores."""

    @property
    def sentence(self) -> str:
        """What is done, for the log."""
        ...

    def enter(self, environment: str, pid: int) -> None:
        """Take `pid`, which was just started, and all that it will start, for those of `environment`."""
        ...

    def limit(self, environment: str, cores: float) -> None:
        """Hold them to `cores` of this machine's cores from now on."""
        ...

    def release(self, environment: str) -> None:
        """Forget an environment, whose processes are gone."""
        ...

    @property
    def folders(self) -> tuple[Path, ...]:
        """The groups, to be removed by `remove_groups` when everything has ended."""
        ...

    def close(self) -> None:
        """Forget all of them."""
        ...


class Nice:
    """Ask the scheduler to run environments after everything else. No limit, but plane and agents stay responsive."""

    sentence = (
        "CPU is not limited: this user may not make control groups. Environments run at a low priority instead, and what "
        "they use is measured against their vCPUs"
    )
    folders: tuple[Path, ...] = ()

    def enter(self, environment: str, pid: int) -> None:
        """Lower the priority of `pid`."""
        with contextlib.suppress(OSError):  # it has ended
            os.setpriority(os.PRIO_PROCESS, pid, NICE)

    def limit(self, environment: str, cores: float) -> None:
        """Do nothing: there is no limit."""

    def release(self, environment: str) -> None:
        """Do nothing: it went with the processes."""

    def close(self) -> None:
        """Do nothing, likewise."""


class ControlGroups:
    """A control group for each environment, in one for the instance."""

    def __init__(self, folder: Path, *, unified: bool) -> None:
        """Work in `folder`, which is the instance's; `unified`: version 2.

        Raises:
            OSError: this user may not.
        """
        self._folder = folder
        self._unified = unified
        folder.mkdir()
        try:
            if unified:
                (folder / "cgroup.subtree_control").write_text("+cpu")
            self._make("probe")
            self._limit("probe", MIN_QUOTA)
            self.release("probe")
        except BaseException:
            self.close()
            raise

    @property
    def folders(self) -> tuple[Path, ...]:
        """The instance's group."""
        return (self._folder,)

    @property
    def sentence(self) -> str:
        """What is done, for the log."""
        return f"CPU is limited by control groups, version {2 if self._unified else 1}"

    def enter(self, environment: str, pid: int) -> None:
        """Put `pid` into a group."""
        with contextlib.suppress(OSError):  # it has ended
            (self._make(environment) / "cgroup.procs").write_text(str(pid))

    def limit(self, environment: str, cores: float) -> None:
        """Limit the group, unless a group around it is limited to less, which the kernel takes for a mistake."""
        with contextlib.suppress(OSError):
            self._limit(environment, max(MIN_QUOTA, int(cores * PERIOD)))

    def release(self, environment: str) -> None:
        """Remove the group. One that still holds a dying process is removed when the instance goes."""
        with contextlib.suppress(OSError):
            (self._folder / environment).rmdir()

    def close(self) -> None:
        """Remove all groups."""
        remove_groups(self._folder)

    def _limit(self, environment: str, quota: int) -> None:
        group = self._folder / environment
        if self._unified:
            (group / "cpu.max").write_text(f"{quota} {PERIOD}")
        else:
            (group / "cpu.cfs_period_us").write_text(str(PERIOD))
            (group / "cpu.cfs_quota_us").write_text(str(quota))

    def _make(self, environment: str) -> Path:
        group = self._folder / environment
        group.mkdir(exist_ok=True)
        return group


def cpu_shares(instance: str) -> CpuShares:
    """Return the best way that there is on this machine; `instance` names the groups."""
    for folder, unified in _places():
        remove_stale(folder, remove_groups)
        try:
            return ControlGroups(folder / name_of(instance), unified=unified)
        except OSError:
            continue  # the next best
    return Nice()


def remove_groups(folder: Path) -> None:
    """Remove a group and those in it, as far as nothing runs there."""
    with contextlib.suppress(OSError):
        for group in folder.iterdir():
            if group.is_dir():
                with contextlib.suppress(OSError):
                    group.rmdir()
        folder.rmdir()


def _places() -> list[tuple[Path, bool]]:
    """Where groups could be made: our own group, in each hierarchy that can limit CPU."""
    try:
        lines = _OWN.read_text().splitlines()
    except OSError:
        return []
    places: list[tuple[Path, bool]] = []
    for line in lines:
        number, controllers, path = line.split(":", 2)
        own = path.lstrip("/")
        if number == "0":
            places += [(root / own, True) for root in (_ROOT, _ROOT / "unified") if (root / "cgroup.procs").exists()]
        elif "cpu" in controllers.split(","):
            places += [(_ROOT / name / own, False) for name in (controllers, "cpu") if (_ROOT / name).is_dir()][:1]
    return places
