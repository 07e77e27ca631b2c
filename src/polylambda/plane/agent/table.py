"""The processes of this machine, as far as their use of CPU and memory goes: read once a second, for all environments.

Linux's own table is read directly: a look through psutil costs ten times as much, and there is an agent for each of many
instances on a laptop. Elsewhere it is psutil.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import psutil

if TYPE_CHECKING:
    from collections.abc import Container, Iterable
    from collections.abc import Set as AbstractSet

MIB = 1024 * 1024
FORGET_EVERY = 30  # reads after which all processes are looked at again

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Row(NamedTuple):
    """A process: its parent, its session, the CPU seconds of it and its reaped children, and its resident MiB."""

    pid: int
    parent: int
    session: int
    cpu: float
    memory: float


class ProcessTable:
    """The processes at one moment."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._children: dict[int, list[Row]] = {}
        self._sessions: dict[int, list[Row]] = {}
        self._rows: dict[int, Row] = {}
        for row in rows:
            self._rows[row.pid] = row
            self._children.setdefault(row.parent, []).append(row)
            self._sessions.setdefault(row.session, []).append(row)

    @classmethod
    def read(cls, *, skip: Container[int] = ()) -> ProcessTable:
        """Read it, without the processes in `skip`."""
        return cls(_linux(skip) if Path("/proc/self/stat").exists() else _anywhere(skip))

    @property
    def pids(self) -> AbstractSet[int]:
        """The ids of all processes in it."""
        return self._rows.keys()

    def tree(self, pid: int) -> list[Row]:
        """Return the process `pid`, what it leads as a session, and all their descendants."""
        found: dict[int, Row] = {}
        waiting = [*self._sessions.get(pid, ())]
        if pid in self._rows:
            waiting.append(self._rows[pid])
        while waiting:
            row = waiting.pop()
            if row.pid not in found:
                found[row.pid] = row
                waiting += self._children.get(row.pid, ())
        return list(found.values())


class Watch:
    """Read the table again and again: of processes that are none of ours, only every now and then."""

    def __init__(self) -> None:
        self._foreign: set[int] = set()
        self._reads = 0

    def read(self, roots: Iterable[int]) -> ProcessTable:
        """Read it, with all that belongs to `roots` and to this process."""
        if self._reads % FORGET_EVERY == 0:
            self._foreign.clear()  # ids may have been given to other processes
        self._reads += 1
        table = ProcessTable.read(skip=self._foreign)
        # What we have just started may not be among the roots yet, but is our child.
        ours = {row.pid for root in (os.getpid(), *roots) for row in table.tree(root)}
        self._foreign |= table.pids - ours
        return table


def proportional_memory(rows: Iterable[Row]) -> float:
    """Return the MiB of processes with each page they share counted once: exact where Linux tells, and slow."""
    total = 0.0
    for row in rows:
        total += _proportional(row.pid)
    return total


def _proportional(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_bytes().split(b"\n")
    except OSError:
        try:
            return psutil.Process(pid).memory_info().rss / MIB
        except psutil.Error:
            return 0.0  # it has ended
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(b"Pss:")), 0.0)


def _linux(skip: Container[int] = ()) -> Iterable[Row]:
    for name in os.listdir("/proc"):  # names are all that is wanted, a thousand times
        if not name.isdigit() or int(name) in skip:
            continue
        try:
            descriptor = os.open(f"/proc/{name}/stat", os.O_RDONLY)
        except OSError:
            continue  # it has ended meanwhile
        try:
            line = os.read(descriptor, 4096)
        except OSError:
            continue
        finally:
            os.close(descriptor)
        # The name in parentheses may hold blanks and parentheses. What follows it: proc_pid_stat(5), from the third on.
        fields = line[line.rfind(b")") + 2 :].split()
        if fields[0] == b"Z":
            continue
        ticks = int(fields[11]) + int(fields[12]) + int(fields[13]) + int(fields[14])
        yield Row(int(name), int(fields[1]), int(fields[3]), ticks / _TICKS, int(fields[21]) * _PAGE / MIB)


def _anywhere(skip: Container[int] = ()) -> Iterable[Row]:
    for process in psutil.process_iter(["ppid", "cpu_times", "memory_info"]):
        info = process.info
        times, memory = info["cpu_times"], info["memory_info"]
        if times is None or memory is None or process.pid in skip:
            continue  # another user's
        try:
            session = os.getsid(process.pid)
        except OSError:
            continue
        cpu = times.user + times.system + getattr(times, "children_user", 0) + getattr(times, "children_system", 0)
        yield Row(process.pid, info["ppid"], session, cpu, memory.rss / MIB)
