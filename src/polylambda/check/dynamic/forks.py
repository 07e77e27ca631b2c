"""The process that forks the handler's processes, from the side of who asks for runs."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Self

from polylambda.errors import PolylambdaError
from polylambda.settings import environment

if TYPE_CHECKING:
    from polylambda.check.dynamic.assignment import Assignment

_SERVER = "polylambda.check.dynamic.child.forkserver"


class Forks:
    """`async with Forks() as forks`: one run at a time, each in a process of its own."""

    def __init__(self) -> None:
        """Describe the server; entering starts it."""
        self._process: asyncio.subprocess.Process | None = None
        self._running: int | None = None

    async def __aenter__(self) -> Self:
        # Sets of strings are to have the same order in every run, and nothing is to be left beside the sources.
        variables = environment(PYTHONHASHSEED="0", PYTHONDONTWRITEBYTECODE="1")
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            _SERVER,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=variables,
            start_new_session=True,  # Ctrl-C is for us
        )
        return self

    async def __aexit__(self, *outcome: object) -> None:
        process = self._process
        if process is None:
            return
        self.kill()
        assert process.stdin is not None
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), 5)
        except TimeoutError:
            process.kill()
            await process.wait()

    async def start(self, assignment: Assignment) -> None:
        """Start a run."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(assignment.to_json().encode() + b"\n")
        self._running = int(await self._line())

    async def ended(self) -> int:
        """Wait for the end of the run; return its exit status, negative for a signal."""
        status = int(await self._line())
        self._running = None
        return status

    def stop(self) -> None:
        """Ask the run to end."""
        if self._running is not None:
            os.kill(self._running, signal.SIGTERM)

    def kill(self) -> None:
        """Kill the run, with all that it started."""
        if self._running is not None:
            try:
                os.killpg(self._running, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                pass

    async def _line(self) -> bytes:
        assert self._process is not None
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        if not line:
            raise PolylambdaError("the process that runs the handler for the check has ended; its output says why")
        return line
