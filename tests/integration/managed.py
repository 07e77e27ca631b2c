"""The managed runtime as the process tree that it is, for tests: its processes can be counted, killed and outlived.

What the tree writes goes to files, so that however much it is, nobody has to read it in time.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from tests.environment import PATIENCE, SOURCE, Environment, eventually

MODULE = ("-m", "polylambda", "app.handler")

# How many CPUs the machine has must not decide what a test shows. Python imports this module in every process.
SITE = """
import os
import polylambda.runtime.cpus as cpus
cpus.count_vcpus = lambda read=None: int(os.environ["VCPUS"])
"""

# For handlers: `meet` returns when so many of them have come together, in whatever processes and threads they are.
MEETING = """
import asyncio, json, os, signal, sys, threading, time
from pathlib import Path

def _arrive(event):
    folder = Path("meeting-" + event["meeting"])
    folder.mkdir(exist_ok=True)
    (folder / str(event["number"])).touch()
    return folder

def _is_complete(folder, event):
    return len(os.listdir(folder)) >= event["parties"]

def meet(event):
    folder = _arrive(event)
    while not _is_complete(folder, event):
        time.sleep(0.005)

async def meet_async(event):
    folder = _arrive(event)
    while not _is_complete(folder, event):
        await asyncio.sleep(0.005)
"""


def managed_environment(slots: int | None, **configuration: Any) -> Environment:
    """Return an environment of a managed instance with so many slots."""
    return Environment(max_concurrency=slots, initialization_type="lambda-managed-instances", **configuration)


class ManagedProgram:
    """`python -m polylambda app.handler`, or other arguments, in a folder where app.py is `source`; leaving it ends all of it."""

    def __init__(
        self, variables: Mapping[str, str], folder: Path, source: str, *arguments: str, vcpus: int = 2, **more: str
    ) -> None:
        (folder / "app.py").write_text(source)
        (folder / "site").mkdir(exist_ok=True)
        (folder / "site" / "sitecustomize.py").write_text(SITE)
        self.folder = folder
        environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
        path = os.pathsep.join((str(folder / "site"), SOURCE))
        environ |= {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", "VCPUS": str(vcpus), **variables, **more}
        self._out, self._err = (folder / "out").open("wb"), (folder / "err").open("wb")
        self.process = subprocess.Popen(
            [sys.executable, *(arguments or MODULE)],
            cwd=folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=self._out,
            stderr=self._err,
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *outcome: object) -> None:
        self.process.kill()
        self.process.wait()
        for pid in self.tree():  # whatever would outlive its supervisor
            kill(pid)
        self._out.close()
        self._err.close()
        eventually(lambda: not self.tree())

    @property
    def pid(self) -> int:
        """The first process: the supervisor, if there is one."""
        return self.process.pid

    def tree(self) -> set[int]:
        """Return the ids of all processes that run, supervisor and workers."""
        found: set[int] = set()
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                # "pid (name) state parent group session": the name may hold anything, so count from its closing bracket.
                state, _, _, session = stat.read_text(errors="replace").rpartition(")")[2].split()[:4]
            except (OSError, ValueError):
                continue  # it has just ended
            if int(session) == self.pid and state not in "ZX":
                found.add(int(stat.parent.name))
        return found

    def workers(self) -> set[int]:
        """Return the ids of the worker processes."""
        return self.tree() - {self.pid}

    def send(self, number: int) -> None:
        """Send a signal to the first process."""
        self.process.send_signal(number)

    def wait(self) -> int:
        """Wait for the end of the first process; return its exit status."""
        return self.process.wait(PATIENCE)

    @property
    def out(self) -> str:
        """What was written to stdout so far."""
        return (self.folder / "out").read_text()

    @property
    def err(self) -> str:
        """What was written to stderr so far."""
        return (self.folder / "err").read_text()

    @property
    def log(self) -> str:
        """All that was written."""
        return self.out + self.err


def managed(environment: Environment, folder: Path, source: str, *arguments: str, **variables: Any) -> ManagedProgram:
    """Start a program on an environment."""
    return ManagedProgram(environment.variables, folder, source, *arguments, **variables)


def polls(environment: Environment) -> int:
    """Return how many polls are out."""
    return len(environment.broker._polls)


def kill(pid: int) -> bool:
    """Kill a process, if it is still there."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True
