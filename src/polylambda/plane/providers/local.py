"""Instances that are processes on this machine."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shutil
import sys
import time
from typing import TYPE_CHECKING

import msgspec

from polylambda.plane import processes
from polylambda.plane.agent.protocol import TOKEN_VARIABLE, Listening
from polylambda.plane.agent_client import AgentClient, AgentError, AgentLost
from polylambda.plane.providers import LaunchFailed
from polylambda.settings import environment

if TYPE_CHECKING:
    from pathlib import Path

    from polylambda.plane.agent_client import OnEvent, OnLost
    from polylambda.plane.specs import InstanceSpec

LAUNCH_TIMEOUT = 30.0  # seconds
END_TIMEOUT = 15.0  # seconds that an agent has to end, without draining
GUARDIAN_TIMEOUT = 3.0  # seconds that a dead agent's guardian has to end what is left
LAST_LINES = 2000  # bytes of an agent's complaint that are passed on


class LocalInstance:
    """An agent as a child process, on 127.0.0.1.

    Attributes:
        client: speaks with the agent.
        cpu: a sentence that says how environments are held to their vCPUs.
    """

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        lifeline: int,
        client: AgentClient,
        cpu: str,
        marks: dict[str, str],
        folder: Path,
    ) -> None:
        """Own the agent `process`, which ends when the descriptor `lifeline` is closed."""
        self.client = client
        self.cpu = cpu
        self._process = process
        self._lifeline: int | None = lifeline
        self._marks = marks
        self._folder = folder
        self._end: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int:
        """Process id of the agent."""
        return self._process.pid

    async def terminate(self, *, drain: float = 0.0) -> None:
        """End it, as `Instance.terminate` says."""
        if self._end is None:
            self._end = asyncio.create_task(self._terminate(drain), name=f"end of agent {self.pid}")
        await asyncio.shield(self._end)

    async def _terminate(self, drain: float) -> None:
        try:
            if self.client.lost:  # what does not even say that it lives is not waited for
                with contextlib.suppress(ProcessLookupError):
                    self._process.kill()
            elif drain > 0:
                with contextlib.suppress(AgentLost, AgentError):
                    await self.client.stop_all(drain=drain)
            await self.client.close()
        finally:  # whatever happened: it is to end
            if self._lifeline is not None:
                os.close(self._lifeline)
                self._lifeline = None
            await _end(self._process, self._marks, self._folder)


class LocalProvider:
    """Launch instances as processes on this machine."""

    def __init__(self, *, token: str, folder: Path) -> None:
        """Make a provider.

        Args:
            token: of the data directory, which every process carries, so that leftovers can be found.
            folder: where instances have their folders; each removes its own. What an agent complained of, if it did,
                stays there as `ID.log`.
        """
        self._token = token
        self._folder = folder

    async def launch(self, spec: InstanceSpec, *, on_event: OnEvent, on_lost: OnLost) -> LocalInstance:
        """Launch an instance, as `InstanceProvider.launch` says."""
        folder = self._folder / spec.id
        folder.mkdir(parents=True, exist_ok=True)
        marks = processes.marks(self._token, instance=spec.id)
        secret = secrets.token_urlsafe(24)
        # Its other end is closed by the kernel when this plane dies, however it does.
        stdin, lifeline = os.pipe()
        try:
            with _log(folder).open("wb") as log:
                process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", "polylambda.plane.agent"),
                    *("--instance", msgspec.json.encode(spec).decode(), "--folder", str(folder)),
                    stdin=stdin,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=log,
                    env=environment(**{TOKEN_VARIABLE: secret}, **marks),
                    start_new_session=True,  # Ctrl-C is for the plane, which then drains
                )
        except BaseException as error:  # an agent that was started just now ends when its lifeline does
            os.close(lifeline)
            if isinstance(error, OSError):
                raise LaunchFailed(f"cannot run {sys.executable}: {error}") from error
            raise
        finally:
            os.close(stdin)
        try:
            listening = await _listening(process, folder)
            client = AgentClient(listening.host, listening.port, secret, on_event=on_event, on_lost=on_lost)
            await client.__aenter__()
        except BaseException as error:
            os.close(lifeline)
            await asyncio.shield(_end(process, marks, folder))
            if isinstance(error, AgentLost):
                raise LaunchFailed(f"instance {spec.id} was launched but cannot be spoken with: {error}") from error
            raise
        return LocalInstance(process, lifeline, client, listening.cpu, marks, folder)


async def _listening(process: asyncio.subprocess.Process, folder: Path) -> Listening:
    """Wait until the agent listens. Raises LaunchFailed."""
    assert process.stdout is not None
    try:
        async with asyncio.timeout(LAUNCH_TIMEOUT):
            line = await process.stdout.readline()
        return msgspec.json.decode(line, type=Listening)
    except TimeoutError:
        raise LaunchFailed(f"the agent did not listen within {LAUNCH_TIMEOUT:.0f} seconds") from None
    except msgspec.DecodeError as error:
        said = _log(folder).read_bytes()[-LAST_LINES:].decode("utf-8", "replace")
        raise LaunchFailed(f"the agent did not start; it said: {said.strip() or 'nothing'}") from error


async def _end(process: asyncio.subprocess.Process, marks: dict[str, str], folder: Path) -> None:
    """Wait until an agent has ended; then end what it left."""
    try:
        async with asyncio.timeout(END_TIMEOUT):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
    await asyncio.to_thread(_clean_up, marks, folder)


def _clean_up(marks: dict[str, str], folder: Path) -> None:
    # An agent that was killed has a guardian, which ends what is left better than we can.
    deadline = time.monotonic() + GUARDIAN_TIMEOUT
    while processes.find(marks) and time.monotonic() < deadline:
        time.sleep(0.05)
    processes.end(marks)
    shutil.rmtree(folder, ignore_errors=True)
    log = _log(folder)
    if log.exists() and not log.stat().st_size:
        log.unlink()


def _log(folder: Path) -> Path:
    """Where an agent's standard error goes: beside its folder, which is removed even if the agent is killed."""
    return folder.with_suffix(".log")
