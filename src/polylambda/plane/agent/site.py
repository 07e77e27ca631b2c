"""What an instance is for its environments: where they live, what they inherit, whom they tell, what holds them."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import shutil
import sys
from itertools import count
from typing import TYPE_CHECKING

from polylambda.plane import processes
from polylambda.plane.agent.command import Commands

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from polylambda.plane.agent.cpu import CpuShares
    from polylambda.plane.agent.guardian import Guardian
    from polylambda.plane.agent.protocol import Event
    from polylambda.plane.specs import EnvironmentSpec, InstanceSpec


MAX_FILES = 4096  # open files that a process of an environment may have, as on AWS


class Site:
    """The instance, as its environments see it.

    Attributes:
        folder: where they have theirs.
        environ: the agent's own environment variables.
        cores_per_vcpu: how much of a core a vCPU is worth.
        commands: how functions are started.
        emit: takes events.
    """

    def __init__(
        self,
        spec: InstanceSpec,
        folder: Path,
        *,
        sockets: Path,
        environ: Mapping[str, str],
        cpu: CpuShares,
        emit: Callable[[Event], None],
        guardian: Guardian,
    ) -> None:
        """Describe the instance `spec`; `sockets` is a folder for Unix sockets, `guardian` hears of each process group."""
        self.folder = folder
        self.environ = environ
        self.cores_per_vcpu = spec.cores_per_vcpu
        self.commands = Commands(folder, environ)
        self.emit = emit
        self._id = spec.id
        self._sockets = sockets
        self._socket_numbers = count(1)
        self._cpu = cpu
        self._guardian = guardian

    def socket(self) -> Path:
        """Return a path for another Unix socket. It is a number, for such paths must be short."""
        return self._sockets / str(next(self._socket_numbers))

    def marks(self, environment: str) -> dict[str, str]:
        """Return the variables that mark the processes of an environment."""
        token = self.environ.get(processes.MARK, "")
        return processes.marks(token, instance=self._id, environment=environment)

    def process_started(self, spec: EnvironmentSpec, pid: int) -> None:
        """Take note of the first process of an environment. Its init may have all the CPU that is free, as on AWS."""
        self._guardian.began(pid)
        self._cpu.enter(spec.id, pid)
        if sys.platform == "linux":
            with contextlib.suppress(OSError, ValueError):  # it has ended, or may have even fewer
                resource.prlimit(pid, resource.RLIMIT_NOFILE, (MAX_FILES, MAX_FILES))

    def limit_cpu(self, spec: EnvironmentSpec) -> None:
        """Hold an environment to its vCPUs from now on."""
        self._cpu.limit(spec.id, spec.vcpus * self.cores_per_vcpu)

    def process_ended(self, pid: int) -> None:
        """Take note that the first process of an environment is gone, and its group."""
        self._guardian.ended(pid)

    async def clean_up(self, environment: str, folder: Path) -> None:
        """Remove what is left of an environment: processes that left its group, its folder."""
        await asyncio.shield(asyncio.to_thread(self._clean_up, environment, folder))

    def _clean_up(self, environment: str, folder: Path) -> None:
        processes.end(self.marks(environment))
        self._cpu.release(environment)
        shutil.rmtree(folder, ignore_errors=True)
