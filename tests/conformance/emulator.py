"""AWS's runtime interface emulator (`aws-lambda-rie`) around one runtime, as a context manager.

The emulator has two modes. The classic one starts the runtime with the first invocation and takes one invocation at a
time. The managed-instances one starts it at once, as uid 993 in /var/task, and takes as many as there are polls; its
deadlines lie years ahead. While a runtime is between an answer and its next poll, this mode refuses invocations.
"""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from scripts import conformance_tools
from tests.conformance.task_root import TASK_ROOT, task_root

INVOCATIONS = "/2015-03-31/functions/function/invocations"
HANG = 30.0
"""Seconds after which something that has not happened never will."""
ATTEMPTS = 5
UNAVAILABLE = "Runtime.Unavailable"
"""The type of the error with which the managed-instances mode refuses an invocation."""

_OWN_LINES = re.compile(
    r"time=\d{4}-\S+ level="
    r"|\d\d \w{3} \d{4} [\d:,]+ \[\w+\] \(rapid\) "
    r"|(START|END|REPORT) RequestId: "
)
_POLL = "InvokeRouter: received runtime /next"
_PORT_TAKEN = "address already in use"


class EmulatorFailed(Exception):
    """The emulator or its runtime did not do what it must; the message ends with all that they printed."""


@dataclass(frozen=True)
class Answer:
    """What the caller of an invocation gets."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def error_type(self) -> str | None:
        """The type of a failed invocation, as the managed-instances mode tells it; None from the classic mode."""
        return self.headers.get("error-type")

    def json(self) -> Any:
        return json.loads(self.body)


class Emulator:
    """Run `command` as a runtime under the emulator, from `with` to its end.

    `max_concurrency` chooses the mode: None the classic one, a number the managed-instances one with so many slots, of
    which all are polling when the block begins. `files` are written into the function's folder, which is where the
    runtime starts. `env` is all that the runtime gets beyond PATH and what the emulator sets.

    Raises EmulatorFailed when the runtime does not come up, and NoTaskRoot when this machine has no place for it.
    """

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        max_concurrency: int | None = None,
        env: Mapping[str, str] | None = None,
        files: Mapping[str, str | bytes] | None = None,
    ) -> None:
        self._command = [str(word) for word in command]
        self._slots = max_concurrency
        self._env = dict(env or {})
        self._files = dict(files or {})
        self._cleanup = contextlib.ExitStack()
        self._process: subprocess.Popen[str] | None = None
        self._output = _Output()
        self._port = 0
        self._turns = itertools.count(1)

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            var = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="polylambda-emulator-")))
            task = self._write_task(var)
            prefix = stack.enter_context(task_root(var)) if self._slots is not None else []
            stack.callback(self.stop)
            for _attempt in range(ATTEMPTS):
                if self._start(prefix, task):
                    break
                self.stop()
            else:
                self._fail("other programs took every port it was to listen on")
            self._cleanup = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._cleanup.close()
        if error is not None:
            error.add_note(f"The emulator printed:\n{self.logs}")

    @property
    def logs(self) -> str:
        """All that the emulator and the runtime have printed so far, on stdout and stderr."""
        return "\n".join(self._output.lines)

    @property
    def function_logs(self) -> list[str]:
        """The lines that the runtime has printed so far, without the emulator's own."""
        return [line for line in list(self._output.lines) if not _OWN_LINES.match(line)]

    def wait_for_log(self, pattern: str, *, count: int = 1) -> None:
        """Wait until `count` lines match a regular expression somewhere. Raises EmulatorFailed."""
        search = re.compile(pattern).search
        self._wait(
            lambda output: sum(1 for line in output.lines if search(line)) >= count, f"{count} line(s) with {pattern!r}"
        )

    def invoke(
        self,
        payload: object,
        *,
        content_type: str = "application/json",
        headers: Mapping[str, str] | None = None,
        wait_for_slot: bool = True,
    ) -> Answer:
        """Invoke the function and wait for its answer; `payload` is bytes, or is sent as JSON. Thread-safe.

        The managed-instances mode refuses an invocation that finds no poll (400, UNAVAILABLE). So this waits
        for a poll first; a test that counts refusals says `wait_for_slot=False`, for all invocations of its emulator.
        """
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        head = {"Content-Type": content_type, **(headers or {})}
        if self._slots is None or not wait_for_slot:
            return self._post(body, head)
        turn = next(self._turns)
        self._wait(lambda output: output.polls >= turn, f"that the runtime polls for invocation {turn}")
        # The emulator prints that there is a poll before it counts the slot as free.
        deadline = time.monotonic() + HANG
        while (answer := self._post(body, head)).error_type == UNAVAILABLE:
            if time.monotonic() > deadline:
                self._fail(f"it kept refusing invocation {turn}, although the runtime polls for it")
        return answer

    def stop(self) -> None:
        """Stop the emulator as the platform stops an environment (SIGTERM), and wait until all its processes are gone."""
        process, self._process = self._process, None
        if process is None:
            return
        groups = _process_groups_below(process.pid)
        process.terminate()
        try:
            process.wait(HANG)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        # The emulator puts the runtime into a process group of its own and may leave members of it behind.
        for group in groups:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)
        self._output.join()

    def _write_task(self, var: Path) -> Path:
        task = var / TASK_ROOT.name
        task.mkdir()
        for name, content in self._files.items():
            path = task / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        (task / "bootstrap").write_text(f"#!/bin/sh\nexec {shlex.join(self._command)}\n")
        for path in (var, *var.rglob("*")):  # uid 993 must get at it, whatever our umask
            path.chmod(0o755 if path.is_dir() or path.name == "bootstrap" else 0o644)
        return task

    def _start(self, prefix: list[str], task: Path) -> bool:
        """Start the emulator and wait until it takes invocations; False when another program took its ports."""
        self._port, runtime_api_port = _free_ports()
        command = [
            *prefix,
            str(conformance_tools.EMULATOR),
            "--log-level=debug",  # its line for every poll tells us when the slots are ready
            f"--runtime-interface-emulator-address=127.0.0.1:{self._port}",
            f"--runtime-api-address=127.0.0.1:{runtime_api_port}",
        ]
        # Defaults the emulator lacks in one of the modes, then the caller's.
        env = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1", "HOME": str(task)}
        if self._slots is None:
            command += self._command
            env["LAMBDA_TASK_ROOT"] = str(task)
        else:
            env["AWS_LAMBDA_MAX_CONCURRENCY"] = str(self._slots)
        self._process = subprocess.Popen(
            command,
            cwd=task,
            env=env | self._env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        self._output = _Output(self._process)
        try:
            self._wait_until_listening()
            if self._slots:
                slots = self._slots
                self._wait(lambda output: output.polls >= slots, f"that the runtime polls for {slots} slot(s)")
        except EmulatorFailed:
            if _PORT_TAKEN in self.logs:
                return False
            raise
        return True

    def _post(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=HANG)
        with contextlib.closing(connection):
            connection.request("POST", INVOCATIONS, body, headers)
            response = connection.getresponse()
            answered = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, answered, response.read())

    def _wait_until_listening(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + HANG
        while self._process.poll() is None and time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self._port), timeout=HANG).close()
            except ConnectionRefusedError:
                time.sleep(0.01)
            else:
                return
        self._fail("it never listened")

    def _wait(self, happened: Callable[[_Output], bool], what: str) -> None:
        if not self._output.wait(happened):
            self._fail(f"it never printed {what}")

    def _fail(self, why: str) -> None:
        self.stop()
        raise EmulatorFailed(f"AWS's emulator, running {shlex.join(self._command)}: {why}. It printed:\n{self.logs}")


class _Output:
    """The lines that a process prints, read by a thread as long as somebody holds the other end of the pipe."""

    def __init__(self, process: subprocess.Popen[str] | None = None) -> None:
        self.lines: list[str] = []
        self.polls = 0
        """How often the runtime has asked for an invocation."""
        self._changed = threading.Condition()
        self._ended = process is None
        self._thread = threading.Thread(target=self._read, args=[process]) if process else None
        if self._thread:
            self._thread.start()

    def wait(self, happened: Callable[[_Output], bool]) -> bool:
        """Wait until `happened` says so; False when the lines end, or HANG seconds pass, before that."""
        with self._changed:
            self._changed.wait_for(lambda: happened(self) or self._ended, HANG)
            return happened(self)

    def join(self) -> None:
        if self._thread:
            self._thread.join()

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        with process.stdout as lines:
            for line in lines:
                with self._changed:
                    self.lines.append(line.rstrip("\n"))
                    self.polls += _POLL in line
                    self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()


def _free_ports() -> tuple[int, int]:
    """Find two ports that nobody uses now; the emulator takes no port 0, so another program may be faster."""
    with socket.create_server(("127.0.0.1", 0)) as first, socket.create_server(("127.0.0.1", 0)) as second:
        return first.getsockname()[1], second.getsockname()[1]


def _process_groups_below(pid: int) -> set[int]:
    """Return the process groups of the children of a process, except its own group."""
    groups: set[int] = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # "pid (name) state parent group ...": the name may hold anything, so count from its closing bracket.
            parent, group = stat.read_text(errors="replace").rpartition(")")[2].split()[1:3]
            if int(parent) == pid:
                groups.add(int(group))
    return groups - {os.getpgid(0)}
