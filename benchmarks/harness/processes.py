"""The two sides of a run as processes: the Runtime API server, and the runtime with what it costs."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from harness.environment import BenchmarkError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

_LOOK_AGAIN = 0.25  # seconds between looks at whether the runtime is still there
_PATIENCE = 30  # seconds that killed processes may take to be gone
_CLOCK_TICK = os.sysconf("SC_CLK_TCK")


@contextmanager
def pinned(cores: frozenset[int]) -> Generator[None]:
    """Run on some cores for a while; processes started meanwhile stay on them."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


class Runtime:
    """A runtime's process tree, in a session of its own. Its output goes to a file that is shown when it fails."""

    def __init__(self, command: list[str], environment: dict[str, str], folder: Path, cores: frozenset[int]) -> None:
        self._output = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed by end()
        with pinned(cores):
            self.started_ns = time.monotonic_ns()
            self._process = subprocess.Popen(
                command,
                env=environment,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=self._output,
                start_new_session=True,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        """Kill the whole tree, and wait until its memory is free for the next one."""
        end = time.monotonic() + _PATIENCE
        while members := [pid for pid, _ in self._tree()]:
            for pid in members:
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            self._process.poll()
            if time.monotonic() > end:
                raise BenchmarkError(f"Processes that do not end: {members}")
            time.sleep(0.02)
        self._process.wait()
        self._output.close()

    def terminate(self, patience: float) -> None:
        """Ask the first process to end, and wait for that."""
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(patience)

    def ended(self) -> bool:
        return self._process.poll() is not None

    def output(self) -> str:
        """Return the last of what the runtime wrote."""
        self._output.seek(0)
        return self._output.read()[-3000:]

    def cpu_ns(self) -> int:
        """Return the CPU time, user and system, of the whole tree so far, threads and reaped children included."""
        total = 0
        for pid, fields in self._tree():
            # The kernel's number for "CPU time of process pid", as clock_getcpuclockid(3) makes it: exact, where
            # /proc/pid/stat counts in ticks of 10 ms. Ticks have to do for children that have ended.
            total += time.clock_gettime_ns((~pid << 3) | 2)
            total += (int(fields[13]) + int(fields[14])) * 1_000_000_000 // _CLOCK_TICK
        return total

    def memory_kib(self) -> tuple[int, int]:
        """Return the proportional set size now, and the sum of the peak resident set sizes, of the tree."""
        pss = peak = 0
        for pid, _ in self._tree():
            pss += _kib(Path(f"/proc/{pid}/smaps_rollup"), "Pss:")
            peak += _kib(Path(f"/proc/{pid}/status"), "VmHWM:")
        return pss, peak

    def _tree(self) -> Iterator[tuple[int, list[str]]]:
        """Yield pid and the fields of /proc/pid/stat after the command, of every process in the runtime's session."""
        for entry in os.listdir("/proc"):
            if not entry.isdigit():
                continue
            try:
                fields = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(fields[3]) == self._process.pid and fields[0] != "Z":
                yield int(entry), fields


class RuntimeApi:
    """The server of `server.c`: started on its cores, asked to go on, and listened to."""

    def __init__(self, binary: Path, arguments: list[str], cores: frozenset[int]) -> None:
        with pinned(cores):
            self._process = subprocess.Popen(
                [binary, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
            )
        self._lines = b""
        self.address = f"127.0.0.1:{self.expect('listening', 10)['port']}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.kill()
        self._process.communicate()

    def go_on(self) -> None:
        """Let the server go from the end of one phase to the next."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")

    def expect(self, event: str, seconds: float, runtime: Runtime | None = None) -> dict[str, Any]:
        """Wait for an event of the server; end with an error when the runtime ends first, or time is up."""
        end = time.monotonic() + seconds
        while b"\n" not in self._lines:
            if not self._readable(_LOOK_AGAIN):
                if runtime is not None and runtime.ended():
                    raise BenchmarkError(f"The runtime ended before {event!r}:\n{runtime.output()}{self._complaints()}")
                if time.monotonic() > end:
                    output = runtime.output() if runtime is not None else ""
                    raise BenchmarkError(f"No {event!r} within {seconds:.0f} s.\n{output}{self._complaints()}")
                continue
            assert self._process.stdout is not None
            read = self._process.stdout.read(65536)
            if not read:
                raise BenchmarkError(f"The benchmark server ended: {self._complaints()}")
            self._lines += read
        line, _, self._lines = self._lines.partition(b"\n")
        message: dict[str, Any] = json.loads(line)
        if message["event"] != event:
            raise BenchmarkError(f"The benchmark server said {message}, not {event!r}.")
        if message.get("errors") or message.get("mismatches"):
            output = runtime.output() if runtime is not None else ""
            raise BenchmarkError(f"Errors or wrong answers: {message}\n{output}{self._complaints()}")
        return message

    def _readable(self, seconds: float) -> bool:
        with selectors.DefaultSelector() as selector:
            assert self._process.stdout is not None
            selector.register(self._process.stdout, selectors.EVENT_READ)
            return bool(selector.select(seconds))

    def _complaints(self) -> str:
        """Stop the server; return what it wrote to standard error: its own, and the first error body it was sent."""
        self._process.kill()
        return self._process.communicate()[1].decode(errors="replace")[-3000:]


def _kib(path: Path, name: str) -> int:
    line = next(line for line in path.read_text().splitlines() if line.startswith(name))
    return int(line.split()[1])
