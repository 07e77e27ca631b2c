"""`polylambda logs`: the last lines of a log, and those that come."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections import deque
from typing import TYPE_CHECKING

from polylambda.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BETWEEN_LOOKS = 0.2
"""Seconds between two looks at a log that is followed."""


def show(path: Path, *, lines: int, follow: bool, name: str) -> None:
    """Print the last lines of a log, and with `follow` the next ones until Ctrl-C.

    Raises:
        ConfigurationError: there is no such log, and it is not to be waited for.
    """
    if not path.exists() and not follow:
        others = sorted(other.stem for other in path.parent.glob("*.jsonl") if "." not in other.stem)
        known = f"logs there are: {', '.join(others)}" if others else "there are no logs yet"
        raise ConfigurationError(f"{name} has no log in {path.parent}; {known}")
    offset = 0
    if path.exists():
        with path.open("rb") as file:
            for line in deque(file, maxlen=lines):
                _print(line)
            offset = file.tell()
    if follow:
        for line in _next_lines(path, offset):
            _print(line)


def _next_lines(path: Path, offset: int) -> Iterator[bytes]:
    """Yield whole lines as they are written, also into the file that takes the place of a full one."""
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(path.open("rb")) if path.exists() else None
        if file is not None:
            file.seek(offset)
        begun = b""
        while True:
            # Asked before the rest is read: nobody writes into a file that was replaced already.
            replaced = path.exists() and (file is None or os.fstat(file.fileno()).st_ino != path.stat().st_ino)
            while file is not None and (piece := file.readline()):
                begun += piece
                if begun.endswith(b"\n"):
                    yield begun
                    begun = b""
            if replaced:
                stack.pop_all().close()
                file = stack.enter_context(path.open("rb"))
            else:
                time.sleep(BETWEEN_LOOKS)


def _print(line: bytes) -> None:
    sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()
