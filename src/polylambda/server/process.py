"""A command as the runtime of an execution environment: started, watched, stopped."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Self

from polylambda.server.errors import CannotStart

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from polylambda.server.environment import RuntimeApi

Stream = Literal["stdout", "stderr"]
OutputLine = Callable[[Stream, bytes], None]

_STREAMS: tuple[Stream, ...] = ("stdout", "stderr")

MAX_LINE = 256 * 1024  # bytes; a longer line is passed on in pieces
LAST_WORDS = 1.0  # seconds for the rest of the output, when somebody outside the group keeps the pipe open


@dataclass(frozen=True, slots=True)
class Exit:
    """How a runtime ended: `status` is 0 to 255, or the negative number of the signal that killed it."""

    status: int

    @property
    def reason(self) -> str:
        """What a caller is told, in AWS's words."""
        if self.status == 0:
            return "Runtime exited without providing a reason"
        if self.status > 0:
            return f"Runtime exited with error: exit status {self.status}"
        return f"Runtime exited with error: signal: {_SIGNALS.get(-self.status, f'signal {-self.status}')}"


# The words of Go's os package, which AWS's messages are made of.
_SIGNALS: dict[int, str] = {
    signal.SIGHUP: "hangup",
    signal.SIGINT: "interrupt",
    signal.SIGQUIT: "quit",
    signal.SIGILL: "illegal instruction",
    signal.SIGTRAP: "trace/breakpoint trap",
    signal.SIGABRT: "aborted",
    signal.SIGBUS: "bus error",
    signal.SIGFPE: "floating point exception",
    signal.SIGKILL: "killed",
    signal.SIGUSR1: "user defined signal 1",
    signal.SIGSEGV: "segmentation fault",
    signal.SIGUSR2: "user defined signal 2",
    signal.SIGPIPE: "broken pipe",
    signal.SIGALRM: "alarm clock",
    signal.SIGTERM: "terminated",
}


class RuntimeProcess:
    """Run a command against a `RuntimeApi`, in a process group of its own.

    When it exits, for whatever cause, the invocations that it held fail with `Runtime.ExitError`, and what is left of
    its group is killed. It can be started again afterwards.
    """

    def __init__(
        self,
        command: Sequence[str],
        api: RuntimeApi,
        *,
        environ: Mapping[str, str],
        cwd: str | None = None,
        grace: float = 2.0,
        on_output: OutputLine | None = None,
        on_exit: Callable[[Exit], None] | None = None,
    ) -> None:
        """Describe the process; `start` starts it.

        Args:
            command: program and arguments.
            api: the Runtime API that it is to use; it must be started before the process is.
            environ: the environment variables that it inherits; Lambda's are added.
            cwd: working directory; the function's task root when None, else ours.
            grace: seconds between SIGTERM and SIGKILL.
            on_output: called with the stream's name and every line of output, without its line end; when None, the
                process writes where we do.
            on_exit: called once it has exited, after its invocations have failed and its output has ended.
        """
        self._command = list(command)
        self._api = api
        self._environ = dict(environ)
        self._cwd = cwd or api.function.task_root or None
        self._grace = grace
        self._on_output = on_output
        self._on_exit = on_exit
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = False
        self._watch: asyncio.Task[Exit] | None = None

    @property
    def pid(self) -> int | None:
        """Process id, and number of the process group; None while it does not run."""
        return None if self._process is None else self._process.pid

    async def start(self) -> None:
        """Start it.

        Raises:
            CannotStart: the program does not exist or cannot be run, or the command runs already.
        """
        if self._process is not None:
            raise CannotStart(f"{self._command[0]} runs already, as process {self.pid}; stop it first")
        self._stopping = False
        self._api.runtime_started()
        outputs: list[_Lines] = []
        with ExitStack() as always, ExitStack() as on_failure:
            descriptors: list[int | None] = [None, None]
            if self._on_output is not None:
                for number, name in enumerate(_STREAMS):
                    read_end, write_end = os.pipe()
                    always.callback(os.close, write_end)
                    lines = await _read_lines(read_end, name, self._on_output)
                    on_failure.callback(lines.close)
                    outputs.append(lines)
                    descriptors[number] = write_end
            try:
                process = await asyncio.create_subprocess_exec(
                    *self._command,
                    stdin=subprocess.DEVNULL,
                    stdout=descriptors[0],
                    stderr=descriptors[1],
                    cwd=self._cwd,
                    env=self._environ | self._api.function.environment_variables(self._api.address),
                    start_new_session=True,
                )
            except OSError as error:
                raise CannotStart(f"cannot run {self._command[0]!r}: {error.strerror or error}") from error
            on_failure.pop_all()
        self._process = process
        self._watch = asyncio.create_task(self._attend(process, outputs), name=f"runtime {process.pid}")

    async def __aenter__(self) -> Self:
        """Start it."""
        await self.start()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Stop it."""
        await self.stop()

    async def stop(self) -> Exit:
        """End it: SIGTERM to the group, the grace, SIGKILL. Return how it ended; it may have ended before."""
        self._stopping = True
        process = self._process
        if process is not None:
            self._api.announce_shutdown(self._grace)
            self._signal(process, signal.SIGTERM)
            try:
                await asyncio.wait([self._watching], timeout=self._grace)
            finally:  # also when we are cancelled: nobody would end it later
                if not self._watching.done():
                    self._signal(process, signal.SIGKILL)
        return await self.wait()

    async def wait(self) -> Exit:
        """Wait until it has exited, by itself or by `stop`."""
        return await asyncio.shield(self._watching)

    @property
    def _watching(self) -> asyncio.Task[Exit]:
        if self._watch is None:
            raise CannotStart(f"{self._command[0]} was never started")
        return self._watch

    async def _attend(self, process: asyncio.subprocess.Process, outputs: list[_Lines]) -> Exit:
        """See the process through to its end, and everything that follows from it."""
        try:
            try:
                ended = Exit(await process.wait())
            finally:  # without its first process an environment is dead, whatever the others would like to do
                self._signal(process, signal.SIGKILL)
            if outputs:
                await asyncio.wait([lines.ended for lines in outputs], timeout=LAST_WORDS)
        finally:
            for lines in outputs:
                lines.close()
            self._process = None
        self._api.runtime_exited(ended.reason, stopped=self._stopping)
        if self._on_exit is not None:
            self._on_exit(ended)
        return ended

    @staticmethod
    def _signal(process: asyncio.subprocess.Process, number: int) -> None:
        try:
            os.killpg(process.pid, number)
        except (ProcessLookupError, PermissionError):
            pass  # it has ended, with all its children


class _Lines(asyncio.Protocol):
    """One stream of a process's output, in lines.

    Not a pipe of asyncio's: those keep `Process.wait` waiting as long as any grandchild holds their other end.
    """

    def __init__(self, name: Stream, on_output: OutputLine) -> None:
        self._name: Stream = name
        self._on_output = on_output
        self._line = b""
        self._transport: asyncio.BaseTransport | None = None
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def close(self) -> None:
        """Listen no longer."""
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        *lines, self._line = (self._line + data).split(b"\n")
        for line in lines:
            self._on_output(self._name, line)
        if len(self._line) > MAX_LINE:
            self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._line:
            self._flush()
        self.ended.set_result(None)

    def _flush(self) -> None:
        line, self._line = self._line, b""
        self._on_output(self._name, line)


async def _read_lines(descriptor: int, name: Stream, on_output: OutputLine) -> _Lines:
    """Begin to read the output that comes through a pipe."""
    pipe = os.fdopen(descriptor, "rb", buffering=0)
    _, lines = await asyncio.get_running_loop().connect_read_pipe(lambda: _Lines(name, on_output), pipe)
    return lines
