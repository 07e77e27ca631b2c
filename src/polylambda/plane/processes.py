"""Processes that a plane started, found by a mark in their environment: to end what was left behind, never to adopt it."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

MARK = "POLYLAMBDA_PLANE"
"""Environment variable of every process that a plane starts; its value is the token of the plane's data directory."""

INSTANCE_MARK = "POLYLAMBDA_INSTANCE"
"""Environment variable with the id of the instance that a process belongs to."""

ENVIRONMENT_MARK = "POLYLAMBDA_ENVIRONMENT"
"""Environment variable with the id of the execution environment that a process belongs to."""

PATIENCE = 10.0  # seconds that killed processes have to be gone
_PAUSE = 0.01  # seconds between two looks


def marks(token: str, *, instance: str = "", environment: str = "") -> dict[str, str]:
    """Return the marks of a process, or those to look for."""
    found = {MARK: token, INSTANCE_MARK: instance, ENVIRONMENT_MARK: environment}
    return {name: value for name, value in found.items() if value}


def find(marked: Mapping[str, str], *, spare: Container[int] = ()) -> list[psutil.Process]:
    """Return the processes of this user that carry all of the marks, and those in the sessions that such ones lead.

    Not this process, not those with an id in `spare`, and none that are dead already. A program may drop the mark, but seldom leaves the session. Each knows when it began, so that a process id which was given to another process since is never touched.
    """
    found: list[psutil.Process] = []
    others: list[tuple[psutil.Process, int]] = []
    sessions: set[int] = set()
    own, user = os.getpid(), os.getuid()
    for process in psutil.process_iter():
        if process.pid == own or process.pid in spare:
            continue
        try:
            if process.uids().real != user:
                continue
            environ = process.environ()
            session = os.getsid(process.pid)
        except (psutil.Error, OSError):
            continue  # it has ended, or is not ours to look into
        if all(environ.get(name) == value for name, value in marked.items()):
            found.append(process)
            if session == process.pid:
                sessions.add(session)
        else:
            others.append((process, session))
    return found + [process for process, session in others if session in sessions]


def end(marked: Mapping[str, str], *, spare: Container[int] = ()) -> int:
    """Kill the processes that `find` finds, and those that they start meanwhile; return how many there were.

    Blocks until they are gone. `marked` must not be empty.
    """
    if not marked:
        raise ValueError("without a mark every process of this user would be ended")
    ended: set[psutil.Process] = set()
    deadline = time.monotonic() + PATIENCE
    while (processes := find(marked, spare=spare)) and time.monotonic() < deadline:
        for process in processes:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
            ended.add(process)
        psutil.wait_procs(processes, timeout=_PAUSE)
    return len(ended)
