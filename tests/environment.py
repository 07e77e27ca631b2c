"""An execution environment for tests: polylambda's own Runtime API server in a thread, and whatever runtime is put on it.

`running` runs a runtime in another thread, which is quick and lets a handler be a closure; `program` runs one as a process,
which has a main thread for signals and an exit status.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import AsyncGenerator, Coroutine, Generator, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Self, TypeVar

import polylambda
from polylambda import LambdaRuntime
from polylambda.server.broker import Broker
from polylambda.server.environment import RuntimeApi
from polylambda.server.function import FunctionConfiguration
from polylambda.server.invocation import Invocation
from polylambda.server.response import Response
from polylambda.settings import Settings

T = TypeVar("T")

PATIENCE = 40.0  # seconds for whatever must happen at all
SOURCE = str(Path(polylambda.__file__).parents[1])


@dataclass
class Answer:
    """What the caller of one invocation got.

    Attributes:
        chunks: the body, as it arrived.
        error_type: as the platform names it; None when nothing went wrong.
        error_body: AWS's payload of an error in the middle of a stream.
    """

    request_id: str
    chunks: list[bytes] = field(default_factory=list)
    content_type: str = ""
    streamed: bool = False
    outcome: str = ""
    error_type: str | None = None
    error_body: bytes = b""

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Environment:
    """`with Environment() as environment:`; invoke it from the test's thread."""

    def __init__(self, **configuration: Any) -> None:
        """`configuration` is that of the function: see `FunctionConfiguration`."""
        self.function = FunctionConfiguration(**{"name": "function", **configuration})
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="environment")
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._thread.start()
        self._stack.callback(self._stop_loop)
        self.broker = self.call(self._make_broker())
        self.api = RuntimeApi(self.broker, function=self.function)
        self.call(self.api.start())
        self._stack.callback(lambda: self.call(self.api.stop()))
        self._stack.callback(lambda: self._loop.call_soon_threadsafe(self.broker.close))
        return self

    def __exit__(self, *outcome: object) -> None:
        self._stack.close()

    @staticmethod
    async def _make_broker() -> Broker:
        return Broker()

    def _stop_loop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run `coroutine` on the server's loop."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(PATIENCE)

    @property
    def variables(self) -> dict[str, str]:
        return self.function.environment_variables(self.api.address)

    @property
    def connections(self) -> int:
        """How many the runtime has open."""
        return len(self.api._listener._connections)

    @property
    def extensions(self) -> dict[str, bool]:
        """The registered extensions, by name: whether each waits for an event, without which the init would never end."""
        registered = self.api._extensions._extensions.values()
        return {extension.name: extension.poll is not None for extension in registered}

    # Invocations

    def begin(self, payload: bytes = b"{}", **metadata: Any) -> Future[Answer]:
        """Send an event; the result is there when the answer is whole."""
        invocation = Invocation(payload=payload, **{"timeout": PATIENCE, **metadata})
        return asyncio.run_coroutine_threadsafe(self._collect(invocation), self._loop)

    def invoke(self, payload: bytes = b"{}", **metadata: Any) -> Answer:
        """Send an event and wait for the whole answer."""
        return self.begin(payload, **metadata).result(PATIENCE)

    async def _collect(self, invocation: Invocation) -> Answer:
        response = await self.broker.invoke(invocation)
        answer = Answer(invocation.request_id, [chunk async for chunk in response])
        answer.content_type = response.content_type
        answer.streamed = response.streamed
        answer.outcome = response.outcome.value
        answer.error_type = response.error_type
        answer.error_body = response.error_body
        return answer

    @contextmanager
    def stream(self, payload: bytes = b"{}", **metadata: Any) -> Generator[Stream]:
        """Send an event and read the answer piece by piece; leaving early hangs up."""
        invocation = Invocation(payload=payload, **{"timeout": PATIENCE, **metadata})
        stream = Stream(self, self.call(self.broker.invoke(invocation)))
        try:
            yield stream
        finally:
            self.call(stream.response.aclose())

    # Runtimes

    @contextmanager
    def running(
        self, handler: object, *, lifespan: Any = None, middleware: Any = (), **variables: str
    ) -> Generator[None]:
        """Run a `LambdaRuntime` in a thread, until the end of the body; what it raises is raised there."""
        runtime = LambdaRuntime(
            handler, lifespan=lifespan, middleware=middleware, settings=Settings({**self.variables, **variables})
        )
        failures: list[BaseException] = []

        def run() -> None:
            try:
                runtime.run()
            except BaseException as error:
                failures.append(error)
                self._loop.call_soon_threadsafe(self.api.runtime_exited, repr(error))

        thread = threading.Thread(target=run, name="runtime")
        thread.start()
        try:
            self.wait_until_ready()
            yield
        finally:
            runtime.stop()
            thread.join(PATIENCE)
        assert not thread.is_alive()
        if failures:
            raise failures[0]

    def wait_until_ready(self) -> bool:
        """Wait for the runtime's first poll: True; False: it could not start."""
        return self.call(self.api.ready())

    @contextmanager
    def program(self, folder: Path, source: str, *arguments: str, **variables: str) -> Generator[Program]:
        """Run `python -m polylambda app.handler`, or `arguments`, where app.py is `source`."""
        with Program(folder, source, *arguments, **{**self.variables, **variables}) as program:
            yield program


class Stream:
    """The answer to one invocation, while it comes."""

    def __init__(self, environment: Environment, response: Response) -> None:
        self.response = response
        self._environment = environment
        self._chunks = aiter(response)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        chunk = self._environment.call(self._next())
        if chunk is None:
            raise StopIteration
        return chunk

    async def _next(self) -> bytes | None:
        return await anext(self._chunks, None)


class Program:
    """A runtime in a process of its own, whose output is read line by line and whose standard input is a gate."""

    def __init__(self, folder: Path, source: str, *arguments: str, **variables: str) -> None:
        (folder / "app.py").write_text(source)
        command = [sys.executable, *(arguments or ("-m", "polylambda", "app.handler"))]
        environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
        environ |= {"PYTHONPATH": SOURCE, "PYTHONDONTWRITEBYTECODE": "1", **variables}
        self.errors = folder / "stderr"
        self._errors = self.errors.open("wb")
        self.process = subprocess.Popen(
            command, cwd=folder, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors
        )
        self.lines: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *outcome: object) -> None:
        self.process.kill()
        self.process.wait()
        self._errors.close()
        self._pipe(self.process.stdin).close()
        self._pipe(self.process.stdout).close()

    def expect(self, text: str) -> str:
        """Read output up to the line that has `text` in it, and return that."""
        for line in self._pipe(self.process.stdout):
            self.lines.append(line.decode().rstrip("\n"))
            if text in self.lines[-1]:
                return self.lines[-1]
        raise AssertionError(f"{text!r} is not in the output: {self.lines}, {self.stderr}")

    def open_gate(self) -> None:
        """Let a handler go on that waits in `sys.stdin.readline()`."""
        pipe = self._pipe(self.process.stdin)
        pipe.write(b"\n")
        pipe.flush()

    def send(self, number: int) -> None:
        self.process.send_signal(number)

    def wait(self) -> int:
        """Wait for the end; return the exit status, and have the whole output in `lines`."""
        rest = self._pipe(self.process.stdout).read().decode()
        self.lines += rest.removesuffix("\n").split("\n") if rest else []
        return self.process.wait(PATIENCE)

    @property
    def stderr(self) -> str:
        return self.errors.read_text()

    @staticmethod
    def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
        assert pipe is not None
        return pipe


def eventually(condition: Any) -> None:
    """Wait for something that nobody announces, such as a connection on the other side."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.005)


@asynccontextmanager
async def nothing() -> AsyncGenerator[None]:
    """A lifespan that does nothing."""
    yield
