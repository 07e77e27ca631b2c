"""What agents leave behind in shared folders when they are killed together with their guardians; the next agent removes it.

A name holds the process id of the agent that made the folder. While there is a process with that id the folder stays.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_NAME = re.compile(r"polylambda-agent-([0-9]+)-.+")


def name_of(what: str) -> str:
    """Return a name for a folder of this agent."""
    return f"polylambda-agent-{os.getpid()}-{what}"


def remove_stale(folder: Path, remove: Callable[[Path], object]) -> None:
    """Have `remove` remove each folder in `folder` whose agent is gone, and which is this user's."""
    try:
        entries = [entry for entry in os.scandir(folder) if (match := _NAME.fullmatch(entry.name)) and _gone(match)]
        for entry in entries:
            if entry.is_dir(follow_symlinks=False) and entry.stat(follow_symlinks=False).st_uid == os.getuid():
                remove(folder / entry.name)
    except OSError:
        return  # it is no place to look at, or another agent was faster


def _gone(match: re.Match[str]) -> bool:
    return not psutil.pid_exists(int(match[1]))
