"""Commands as runtimes: what they are told, what becomes of their invocations, and how they end."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from polylambda.server import process as process_module
from polylambda.server.broker import Broker, Invocation, Outcome, Response
from polylambda.server.environment import Phase, RuntimeApi
from polylambda.server.errors import CannotStart
from polylambda.server.function import FunctionConfiguration
from polylambda.server.process import Exit, RuntimeProcess
from tests.integration.raw_runtime import until

RUNTIME = """
import http.client, os, signal, sys, time
connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
while True:
    connection.request("GET", "/2018-06-01/runtime/invocation/next")
    reply = connection.getresponse()
    request_id, event = reply.headers["Lambda-Runtime-Aws-Request-Id"], reply.read().decode()
    exec(event)
    connection.request("POST", f"/2018-06-01/runtime/invocation/{request_id}/response", event.encode())
    connection.getresponse().read()
"""
"""A runtime that runs the event as Python."""


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(50):
            await test()

    asyncio.run(main())
    for thread in threading.enumerate():  # of asyncio's, on Python 3.11
        if "waitpid" in thread.name:
            thread.join()


class Output:
    """The lines that a process wrote."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, bytes]] = []
        self._new = asyncio.Event()

    def __call__(self, stream: str, line: bytes) -> None:
        self.lines.append((stream, line))
        self._new.set()

    async def line(self, number: int) -> bytes:
        while len(self.lines) <= number:
            self._new.clear()
            await self._new.wait()
        return self.lines[number][1]


def process(api: RuntimeApi, code: str, **options: object) -> RuntimeProcess:
    command = [sys.executable, "-S", "-u", "-c", code]
    return RuntimeProcess(command, api, **{"environ": {"PATH": os.environ["PATH"]}, **options})  # type: ignore[arg-type]


def invoke(broker: Broker, code: str) -> asyncio.Task[Response]:
    return asyncio.create_task(broker.invoke(Invocation(payload=code.encode(), timeout=40, request_id="the-id")))


def test_runs_and_answers() -> None:
    async def test() -> None:
        async with RuntimeApi(Broker()) as api, process(api, RUNTIME) as runtime:
            assert await api.ready()
            assert await (await invoke(api.broker, "1 + 1")).read() == b"1 + 1"
            assert runtime.pid is not None

    run(test)


def test_is_told_what_lambda_tells(tmp_path: Path) -> None:
    folder = str(tmp_path.resolve())

    async def test() -> None:
        function = FunctionConfiguration(
            name="f",
            version="3",
            handler="app.handler",
            memory_size=512,
            region="eu-west-1",
            log_stream="stream",
            task_root=str(tmp_path),
            max_concurrency=4,
        )
        output = Output()
        code = "import json, os; print(json.dumps([os.getcwd(), os.getpgid(0) == os.getpid(), dict(os.environ)]))"
        async with RuntimeApi(Broker(), function=function) as api:
            environ = {"MINE": "1", "AWS_REGION": "overridden"}
            runtime = process(api, code, environ=environ, on_output=output)
            await runtime.start()
            await runtime.wait()
            cwd, leads_its_group, variables = json.loads(await output.line(0))
            assert cwd == folder
            assert leads_its_group
            variables.pop("LC_CTYPE", None)  # Python's own
            assert variables == {
                "MINE": "1",
                "AWS_DEFAULT_REGION": "eu-west-1",
                "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
                "AWS_LAMBDA_FUNCTION_NAME": "f",
                "AWS_LAMBDA_FUNCTION_VERSION": "3",
                "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
                "AWS_LAMBDA_LOG_FORMAT": "Text",
                "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/f",
                "AWS_LAMBDA_LOG_STREAM_NAME": "stream",
                "AWS_LAMBDA_MAX_CONCURRENCY": "4",
                "AWS_LAMBDA_RUNTIME_API": api.address,
                "AWS_REGION": "eu-west-1",
                "LAMBDA_TASK_ROOT": str(tmp_path),
                "TZ": ":UTC",
                "_HANDLER": "app.handler",
            }

    run(test)


@pytest.mark.parametrize(
    ("code", "status", "reason"),
    [
        ("os._exit(1)", 1, "Runtime exited with error: exit status 1"),
        ("os._exit(0)", 0, "Runtime exited without providing a reason"),
        ("os.kill(os.getpid(), signal.SIGKILL)", -9, "Runtime exited with error: signal: killed"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", -11, "Runtime exited with error: signal: segmentation fault"),
        ("os.kill(os.getpid(), 34)", -34, "Runtime exited with error: signal: signal 34"),
    ],
)
def test_when_it_exits_what_it_held_fails_at_once(code: str, status: int, reason: str) -> None:
    async def test() -> None:
        exits: list[Exit] = []
        async with RuntimeApi(Broker()) as api:
            runtime = process(api, RUNTIME, on_exit=exits.append)
            await runtime.start()
            response = await invoke(api.broker, code)
            assert (response.outcome, response.error_type) == (Outcome.FAILURE, "Runtime.ExitError")
            assert json.loads(await response.read()) == {
                "errorType": "Runtime.ExitError",
                "errorMessage": f"RequestId: the-id Error: {reason}",
            }
            assert await runtime.wait() == Exit(status)
            assert exits == [Exit(status)]
            assert runtime.pid is None

    run(test)


def test_it_can_be_started_again_and_serves_what_waited() -> None:
    async def test() -> None:
        async with RuntimeApi(Broker()) as api:
            runtime = process(api, RUNTIME)
            await runtime.start()
            assert (await invoke(api.broker, "os._exit(1)")).outcome is Outcome.FAILURE
            await runtime.wait()
            waiting = invoke(api.broker, "1")
            await runtime.start()
            assert (await waiting).outcome is Outcome.SUCCESS
            await runtime.stop()

    run(test)


def test_an_exit_before_the_first_poll_is_an_init_error() -> None:
    async def test() -> None:
        async with RuntimeApi(Broker()) as api:
            waiting = invoke(api.broker, "1")
            runtime = process(api, "raise SystemExit(3)")
            await runtime.start()
            assert not await api.ready()
            await runtime.wait()
            for response in (await waiting, await api.broker.invoke(Invocation(payload=b"1"))):
                assert (response.outcome, response.error_type) == (Outcome.FAILURE, "Runtime.ExitError")
                assert json.loads(await response.read())["errorMessage"] == "Runtime exited with error: exit status 3"
            assert api.phase is Phase.INIT_FAILED

    run(test)


def test_the_output_comes_line_by_line_with_the_last_words() -> None:
    async def test() -> None:
        output = Output()
        long = 600_000
        code = (
            "import os; os.write(1, b'one\\ntw'); os.write(1, b'o\\n\\n');"
            f"os.write(2, b'x' * {long} + b'\\n'); os.write(1, b'last'); os._exit(1)"
        )
        async with RuntimeApi(Broker()) as api:
            runtime = process(api, code, on_output=output)
            await runtime.start()
            await runtime.wait()
        assert [line for stream, line in output.lines if stream == "stdout"] == [b"one", b"two", b"", b"last"]
        pieces = [line for stream, line in output.lines if stream == "stderr"]
        assert b"".join(pieces) == b"x" * long
        assert len(pieces) > 1

    run(test)


def test_stopping_asks_first() -> None:
    async def test() -> None:
        code = "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(7)); print('up'); signal.pause()"
        async with RuntimeApi(Broker()) as api:
            output = Output()
            runtime = process(api, code, on_output=output, grace=30.0)
            await runtime.start()
            await output.line(0)
            assert await runtime.stop() == Exit(7)
            assert await runtime.stop() == Exit(7)

    run(test)


def test_who_does_not_listen_is_killed_with_all_its_children() -> None:
    async def test() -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        listener.setblocking(False)
        port = listener.getsockname()[1]
        child = f"import socket, signal; s = socket.create_connection(('127.0.0.1', {port})); signal.pause()"
        code = (
            "import signal, subprocess, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
            f"subprocess.Popen([sys.executable, '-S', '-c', {child!r}]); signal.pause()"
        )
        async with RuntimeApi(Broker()) as api:
            runtime = process(api, code, grace=0.01)
            await runtime.start()
            loop = asyncio.get_running_loop()
            connection, _ = await loop.sock_accept(listener)
            assert await runtime.stop() == Exit(-9)
            with connection:
                assert await loop.sock_recv(connection, 1) == b""  # the child is gone
        listener.close()

    run(test)


def test_output_that_somebody_else_keeps_open_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_module, "LAST_WORDS", 0.01)

    async def test() -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        listener.setblocking(False)
        port = listener.getsockname()[1]
        child = f"import socket; socket.create_connection(('127.0.0.1', {port})).recv(1)"
        code = (
            f"import subprocess, sys; subprocess.Popen([sys.executable, '-S', '-c', {child!r}], start_new_session=True)"
        )
        before = set(os.listdir("/dev/fd"))
        async with RuntimeApi(Broker()) as api:
            runtime = process(api, code, on_output=lambda *_: None)
            await runtime.start()
            connection, _ = await asyncio.get_running_loop().sock_accept(listener)
            with connection:  # the child lives, and ends with it
                assert await runtime.wait() == Exit(0)
        listener.close()
        await until(lambda: set(os.listdir("/dev/fd")) <= before)

    run(test)


def test_a_stop_that_is_cancelled_kills_at_once() -> None:
    async def test() -> None:
        output = Output()
        code = (
            "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up'); signal.pause(); signal.pause()"
        )
        async with RuntimeApi(Broker()) as api:
            runtime = process(api, code, on_output=output, grace=40.0)
            await runtime.start()
            await output.line(0)
            stopping = asyncio.create_task(runtime.stop())
            await asyncio.sleep(0)
            stopping.cancel()
            assert await runtime.wait() == Exit(-9)
            assert stopping.cancelled()

    run(test)


def test_children_do_not_outlive_their_runtime() -> None:
    async def test() -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        listener.setblocking(False)
        port = listener.getsockname()[1]
        child = f"import socket, signal; s = socket.create_connection(('127.0.0.1', {port})); s.recv(1); signal.pause()"
        code = (
            f"import subprocess, sys; subprocess.Popen([sys.executable, '-S', '-c', {child!r}]); sys.stdin.read();"
            f"import socket; s = socket.create_connection(('127.0.0.1', {port})); s.recv(1)"
        )
        async with RuntimeApi(Broker()) as api:
            runtime = process(api, code, on_output=lambda *_: None)
            await runtime.start()
            loop = asyncio.get_running_loop()
            connections = [(await loop.sock_accept(listener))[0] for _ in range(2)]
            for connection in connections:
                connection.send(b"x")  # ends the runtime, not its child
            assert await runtime.wait() == Exit(0)
            for connection in connections:
                with connection:
                    assert await loop.sock_recv(connection, 1) == b""
        listener.close()

    run(test)


@pytest.mark.parametrize("command", [["/no/such/program"], [os.path.dirname(__file__)]])
def test_what_cannot_be_run_is_said_so(command: list[str]) -> None:
    async def test() -> None:
        before = set(os.listdir("/dev/fd"))
        async with RuntimeApi(Broker()) as api:
            runtime = RuntimeProcess(command, api, environ={}, on_output=lambda *_: None)
            with pytest.raises(CannotStart, match=f"cannot run '{command[0]}'"):
                await runtime.start()
        await until(lambda: set(os.listdir("/dev/fd")) <= before)

    run(test)


def test_what_waits_for_a_runtime_that_is_stopped_before_its_first_poll_waits_for_the_next() -> None:
    async def test() -> None:
        output = Output()
        async with RuntimeApi(Broker()) as api:
            waiting = invoke(api.broker, "1")
            slow = process(api, "import signal; print('up'); signal.pause()", on_output=output)
            await slow.start()
            await output.line(0)
            await slow.stop()
            async with process(api, RUNTIME):
                assert (await waiting).outcome is Outcome.SUCCESS

    run(test)


def test_an_exit_after_a_stop_and_a_start_is_an_init_error_again() -> None:
    async def test() -> None:
        output = Output()
        code = "import os, signal; print('up'); signal.pause()"
        async with RuntimeApi(Broker()) as api:
            runtime = process(api, code, on_output=output)
            await runtime.start()
            await output.line(0)
            await runtime.stop()
            await runtime.start()
            await output.line(1)
            os.kill(runtime.pid or 0, 9)
            await runtime.wait()
            assert api.phase is Phase.INIT_FAILED

    run(test)


@pytest.mark.parametrize("turns", range(0, 12, 2))
def test_a_start_that_is_cancelled_leaves_nothing_behind(turns: int) -> None:
    async def test() -> None:
        before = set(os.listdir("/dev/fd"))
        async with RuntimeApi(Broker()) as api:
            runtime = process(api, RUNTIME, on_output=lambda *_: None)
            starting = asyncio.create_task(runtime.start())
            for _ in range(turns):
                await asyncio.sleep(0)
            starting.cancel()
            await asyncio.wait([starting])
            if not starting.cancelled():
                await runtime.stop()
        await until(lambda: set(os.listdir("/dev/fd")) <= before)

    run(test)


def test_it_runs_once_at_a_time() -> None:
    async def test() -> None:
        async with RuntimeApi(Broker()) as api, process(api, RUNTIME) as runtime:
            with pytest.raises(CannotStart, match=f"runs already, as process {runtime.pid}"):
                await runtime.start()
            with pytest.raises(CannotStart, match="never started"):
                await process(api, RUNTIME).wait()

    run(test)


def test_who_stops_waiting_does_not_stop_the_runtime() -> None:
    async def test() -> None:
        async with RuntimeApi(Broker()) as api, process(api, RUNTIME) as runtime:
            waiting = asyncio.create_task(runtime.wait())
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.wait([waiting])
            assert (await invoke(api.broker, "1")).outcome is Outcome.SUCCESS

    run(test)
