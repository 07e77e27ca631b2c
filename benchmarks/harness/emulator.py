"""AWS's emulator (`aws-lambda-rie`) around a runtime, in its managed-instances mode.

It runs the function as uid 993 in /var/task, with a Python that this user can read: the one of the conformance tests.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from harness.environment import BENCHMARKS, CHECKOUT, BenchmarkError, Interpreter, describe_interpreter
from harness.load import Calls, call
from harness.processes import Runtime

if TYPE_CHECKING:
    from harness.scenario import Subject

_PATIENCE = 60.0  # seconds that emulator and runtime may take to start
_BETWEEN = 0.2  # seconds in which all slots get to their next poll
_END = 5.0  # seconds from SIGTERM to the end


def prepare_emulator() -> Interpreter:
    """Return the Python that functions run on under the emulator. Raises BenchmarkError when it is not installed."""
    tools = _conformance("scripts.conformance_tools")
    python = tools.function_environment() / "bin" / "python"
    if not python.exists() or not tools.EMULATOR.exists():
        raise BenchmarkError(
            "AWS's emulator is not installed: run `make tools`, or leave the emulator's scenarios out."
        )
    return describe_interpreter(python)


class Emulator:
    """One run of the emulator with one runtime."""

    def __init__(self, subject: Subject, slots: int, folder: Path, cores: frozenset[int]) -> None:
        self._subject = subject
        self._slots = slots
        self._folder = folder / "var"
        self._cores = cores
        self._stack = contextlib.ExitStack()
        self._runtime: Runtime
        self.address = ""

    def __enter__(self) -> Self:
        tools = _conformance("scripts.conformance_tools")
        places = _conformance("tests.conformance.task_root")
        task = self._folder / places.TASK_ROOT.name
        if not task.exists():
            _copy_function(task, prepare_emulator().executable)
        command = [str(prepare_emulator().executable), "-m", self._subject.runtime, self._subject.handler]
        (task / "bootstrap").write_text(f"#!/bin/sh\nexec {shlex.join(command)}\n")
        (task / "bootstrap").chmod(0o755)
        with contextlib.ExitStack() as stack:
            try:
                prefix = stack.enter_context(places.task_root(self._folder))
            except places.NoTaskRoot as error:
                raise BenchmarkError(str(error)) from error
            invocations, runtime_api = _free_ports()
            self.address = f"127.0.0.1:{invocations}"
            command = [
                *prefix,
                str(tools.EMULATOR),
                "--log-level=error",
                f"--runtime-interface-emulator-address={self.address}",
                f"--runtime-api-address=127.0.0.1:{runtime_api}",
            ]
            environment = {
                "AWS_LAMBDA_MAX_CONCURRENCY": str(self._slots),
                "HOME": str(places.TASK_ROOT),
                "PATH": os.environ["PATH"],
                **self._subject.environment,
            }
            self._runtime = stack.enter_context(Runtime(command, environment, task, self._cores))
            stack.callback(self._runtime.terminate, _END)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def wait_until_ready(self, event: bytes, expected: Any) -> None:
        """Call from as many callers as there are slots, until all of them get an answer at once."""
        end = time.monotonic() + _PATIENCE
        while True:
            calls = Calls()
            with contextlib.suppress(BenchmarkError):  # nothing listens yet
                calls = call(self.address, event, self._slots)
                self.check(calls, expected)
            if calls.answered == self._slots:
                time.sleep(_BETWEEN)
                return
            if self._runtime.ended() or time.monotonic() > end:
                raise BenchmarkError(f"Not all slots came up under the emulator: {calls}\n{self._runtime.output()}")
            time.sleep(_BETWEEN)

    def check(self, calls: Calls, expected: Any) -> None:
        """Raise BenchmarkError when there is no answer, or one that should not be."""
        wrong = [body for body in calls.bodies if json.loads(body) != expected]
        if wrong or calls.others or not calls.answered:
            raise BenchmarkError(f"No or wrong answers: {[*wrong, *calls.others][:3]}\n{self._runtime.output()}")


def _copy_function(task: Path, python: Path) -> None:
    """Put the handlers and polylambda where the function is, compiled, and readable for everybody."""
    task.mkdir(parents=True)
    for handlers in BENCHMARKS.glob("handlers*.py"):
        shutil.copy(handlers, task)
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(CHECKOUT / "src" / "polylambda", task / "polylambda", ignore=ignore)
    subprocess.run([python, "-m", "compileall", "-q", task], check=True)
    for path in (task.parent.parent, task.parent, task, *task.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


def _conformance(module: str) -> Any:
    """Import a module of the checkout that the conformance tests use; they need the standard library only."""
    if str(CHECKOUT) not in sys.path:
        sys.path.append(str(CHECKOUT))
    return importlib.import_module(module)


def _free_ports() -> tuple[int, int]:
    """Find two ports that nobody uses now; the emulator takes no port 0."""
    with socket.create_server(("127.0.0.1", 0)) as first, socket.create_server(("127.0.0.1", 0)) as second:
        return first.getsockname()[1], second.getsockname()[1]
