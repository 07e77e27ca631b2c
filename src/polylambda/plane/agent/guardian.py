"""The guardian: a process that outlives its agent by a moment, to end what a killed agent cannot end itself.

It is forked before the agent begins its work, so that it costs next to no memory, and waits at the end of a pipe whose
other end only the agent has. When that closes, for whatever cause, the guardian kills what carries the instance's mark,
removes its folders and its control groups, and ends.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import traceback
from typing import TYPE_CHECKING, NoReturn

from polylambda.plane import processes
from polylambda.plane.agent.cpu import remove_groups

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


class Guardian:
    """The agent's end of the pipe. `tell` it what to end, `dismiss` it at the end."""

    def __init__(self, marks: Mapping[str, str], folders: Sequence[Path], groups: Sequence[Path]) -> None:
        """Fork it: it ends what carries `marks`, and removes `folders` and control `groups`. Before any thread or event loop."""
        read_end, self._pipe = os.pipe()
        agent = os.getpid()
        self._pid = os.fork()
        if not self._pid:
            os.close(self._pipe)
            _guard(read_end, agent, marks, folders, groups)
        os.close(read_end)
        os.set_blocking(self._pipe, False)

    def began(self, group: int) -> None:
        """Have a process group killed at the end: its processes may have dropped the mark."""
        self._tell(group)

    def ended(self, group: int) -> None:
        """Leave a process group alone: it is gone, and its number may be given to another."""
        self._tell(-group)

    def _tell(self, number: int) -> None:
        with contextlib.suppress(OSError):  # the guardian was killed: there is nobody to tell
            os.write(self._pipe, f"{number}\n".encode())

    def dismiss(self) -> None:
        """Have it do its work now; return when it has."""
        os.close(self._pipe)
        with contextlib.suppress(ChildProcessError):  # somebody else has waited for it
            os.waitpid(self._pid, 0)


def _guard(
    pipe: int, agent: int, marks: Mapping[str, str], folders: Sequence[Path], groups: Sequence[Path]
) -> NoReturn:
    """Be the guardian."""
    try:
        os.setsid()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1):  # the plane reads what the agent says until nobody can say anything
            os.dup2(null, descriptor)
        for process_group in _read_process_groups(pipe):
            with contextlib.suppress(OSError):
                os.killpg(process_group, signal.SIGKILL)
        # An agent that dismissed us waits for us, and has nothing else left to do.
        processes.end(marks, spare={agent} if os.getppid() == agent else ())
        for group in groups:
            remove_groups(group)
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(0)


def _read_process_groups(pipe: int) -> set[int]:
    """Read until the agent is gone; return the process groups that are left of it."""
    groups: set[int] = set()
    rest = b""
    while data := os.read(pipe, 65536):
        *lines, rest = (rest + data).split(b"\n")
        for number in map(int, lines):
            if number > 0:
                groups.add(number)
            else:
                groups.discard(-number)
    return groups
