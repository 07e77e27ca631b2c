"""What every scene of the demo uses: a screen, promises, and programs whose output is read as it comes."""

from __future__ import annotations

import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import NamedTuple, Self

from rich.console import Console
from rich.text import Text

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
PATIENCE = 30.0  # seconds, on a machine that is busy with something else

console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)


class NotAsPromised(Exception):
    """What the demo was about to show is not so."""


def promise(kept: bool, what: str) -> None:
    """End the demo unless `kept`."""
    if not kept:
        raise NotAsPromised(f"{what}.")


_number = 0


def heading(title: str) -> None:
    """Begin a scene."""
    global _number
    _number += 1
    console.print(Text(f"\n{_number}. {title}", "bold"))


def show_command(command: str) -> None:
    """Show what a person would type."""
    console.print(Text(f"   $ {command}", "dim"))


def show(began: float, text: str, style: str, at: float | None = None) -> None:
    """Show a line of output, with the milliseconds since `began`."""
    milliseconds = ((at or time.monotonic()) - began) * 1000
    if text.strip():
        console.print(Text.assemble((f"   {milliseconds:5.0f} ms  ", "dim"), (text.strip(), style)))


class Line(NamedTuple):
    """A line that a program printed.

    Attributes:
        at: when it came, on the monotonic clock.
        text: without its end; None when the program prints no more.
        program: that printed it.
    """

    at: float
    text: str | None
    program: Program


class Program:
    """One of our commands in a process of its own: `with Program("polylambda", "dev", ...) as program`.

    Attributes:
        lines: what it prints, to be taken out; may be shared with other programs.
    """

    def __init__(self, *command: str, cwd: Path, lines: queue.SimpleQueue[Line] | None = None) -> None:
        """Describe it: a command of this environment, and its folder."""
        self._command = command
        self._cwd = cwd
        self.lines: queue.SimpleQueue[Line] = queue.SimpleQueue() if lines is None else lines

    def __enter__(self) -> Self:
        # In a session of its own: a Ctrl-C ends the demo, and the demo ends the program.
        self.process = subprocess.Popen(
            [installed(self._command[0]), *self._command[1:]],
            cwd=self._cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        status = self.stop()
        if exc_info[0] is None:
            promise(status == 0, f"{' '.join(self._command[:2])} ends by itself; its exit status is {status}")

    def stop(self) -> int:
        """End it as Ctrl-C does, if it has not ended yet; return its exit status."""
        try:
            if self.process.poll() is None:
                self.process.send_signal(signal.SIGINT)
            return self.process.wait(PATIENCE)
        finally:
            self.process.kill()
            self.process.wait()
            self._reader.join()
            assert self.process.stdout is not None
            self.process.stdout.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.put(Line(time.monotonic(), line.rstrip("\n"), self))
        self.lines.put(Line(time.monotonic(), None, self))


def installed(program: str) -> str:
    """Return the path of a command beside this Python."""
    found = shutil.which(program, path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    promise(found is not None, f"{program} is installed")
    return str(found)


def run(*command: str, cwd: Path) -> str:
    """Run one of our commands to its end, and return what it printed."""
    done = subprocess.run(
        [installed(command[0]), *command[1:]],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE * 2,
    )
    promise(done.returncode == 0, f"{' '.join(command)} succeeds. It printed:\n{done.stdout}{done.stderr}")
    return done.stdout
