"""Does what the `console` blocks of a Markdown page say, as a newcomer would, and compares what they show.

A line that begins with `$ ` is a command, what follows is its output; `...` stands for anything. Commands that serve keep
running until the next one that serves, in a terminal of their own, so to speak; the others run in the page's folder, where
`cd` and `export` hold for what comes after them.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

_BLOCK = re.compile(r"^```([\w{}-]+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SERVES = re.compile(r"python \S+\.py$|python -m polylambda |polylambda (dev|up)\b")
_PLANE = re.compile(r"polylambda up\b")
_READY = re.compile(r"ready in|Ctrl-C, or polylambda down")  # the local server, a plane
_ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")
_DEFAULT_ADDRESS = re.compile(r"http://127\.0\.0\.1:(7000|9400)\b")

PLAIN_PYTEST = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": "-p polylambda.testing.plugin"}
"""For tests that readers run, who have pytest and polylambda: the plugins of our own tests take seconds to import."""


@dataclass
class Step:
    """A command and what it prints."""

    command: str
    output: list[str] = field(default_factory=list)

    @property
    def serves(self) -> bool:
        return _SERVES.match(self.command) is not None

    def check(self, printed: str, errors: str) -> None:
        expected = "\n".join(self.output)
        pattern = re.escape(expected).replace(re.escape("..."), "(?s:.*)")
        shown = "\n".join(line.rstrip() for line in printed.splitlines())
        assert re.fullmatch(pattern, shown), f"$ {self.command}\n{shown}\n\ninstead of\n{expected}\n\n{errors}"


def blocks(page: Path) -> list[tuple[str, str]]:
    """Return language and text of the page's fenced blocks."""
    return _BLOCK.findall(page.read_text())


def steps_of(block: str) -> list[Step]:
    """Return what a console block says."""
    found: list[Step] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            found.append(Step(line.removeprefix("$ ")))
        else:
            found[-1].output.append(line.rstrip())
    return found


def steps(page: Path) -> list[Step]:
    """Return what all console blocks of a page say."""
    return [step for language, block in blocks(page) if language == "console" for step in steps_of(block)]


class Terminal:
    """Runs steps: `with Terminal(folder) as terminal: terminal.run(step)`."""

    def __init__(self, folder: Path, variables: Mapping[str, str] | None = None) -> None:
        self._folder = folder
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self._environ = {**os.environ, "PATH": path, "LOCAL_LAMBDA_PORT": "0", **(variables or {})}
        self._server: Server | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stop()

    def run(self, step: Step) -> None:
        """Do one step.

        Raises:
            AssertionError: it failed, or printed something else.
        """
        if step.serves:
            self._stop()
            port = ["--port", "0"] if _PLANE.match(step.command) else []
            self._server = Server([*shlex.split(step.command), *port], self._folder, self._environ)
            return
        if step.command.startswith("cd "):
            self._folder = (self._folder / step.command.removeprefix("cd ")).resolve(strict=True)
            return
        if step.command.startswith("export "):
            words = shlex.split(self.localised(step.command))[1:]
            self._environ.update(word.split("=", 1) for word in words)
            return
        done = subprocess.run(
            ["bash", "-c", self.localised(step.command)],
            cwd=self._folder,
            env=self._environ,
            capture_output=True,
            text=True,
            check=False,
        )
        # A command may be there to show how it fails; one that shows nothing must not.
        assert step.output or done.returncode == 0, f"$ {step.command}\n{done.stdout}{done.stderr}"
        step.check(done.stdout, done.stderr)

    def localised(self, text: str) -> str:
        """Return `text` with the address of the server that runs here in place of the default one."""
        return text if self._server is None else _DEFAULT_ADDRESS.sub(self._server.address, text)

    def _stop(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.stop()


class Server:
    """A local server in a process of its own, ready to serve.

    Attributes:
        address: its URL, without a slash at the end.
    """

    def __init__(self, command: list[str], folder: Path, environ: Mapping[str, str]) -> None:
        self.address = ""
        self._command = command
        self._printed: list[str] = []
        self._process = subprocess.Popen(
            command, cwd=folder, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        ready = False  # a function may start faster than the server that says where it is
        for line in self._lines():
            found = _ADDRESS.search(line)
            if found is not None and not self.address:
                self.address = found[0]
            ready = ready or _READY.search(line) is not None
            if ready and self.address:
                return
        self._process.communicate()
        raise AssertionError(f"$ {shlex.join(command)}\ndid not serve:\n{''.join(self._printed)}")

    def stop(self) -> str:
        """End it as Ctrl-C does, and return all that it printed.

        Raises:
            AssertionError: it did not end well.
        """
        self._process.send_signal(signal.SIGINT)
        self._printed.append(self._process.communicate()[0])
        printed = "".join(self._printed)
        assert self._process.returncode == 0, f"$ {shlex.join(self._command)}\n{printed}"
        return printed

    def _lines(self) -> Iterator[str]:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._printed.append(line)
            yield line
