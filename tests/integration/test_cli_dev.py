"""`polylambda dev` and `.run()` outside Lambda, as a person uses them: in a process of their own, with signals."""

from __future__ import annotations

import http.client
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from polylambda.local.http import listen
from tests.integration.served_function import PATIENCE, ScreenText

DEV = [sys.executable, "-c", "import sys; from polylambda.cli import main; sys.exit(main())", "dev"]

APP = """
from pathlib import Path

def handler(event, context):
    if event.get("do") == "wait":  # until the test writes into the pipe
        print("waiting", flush=True)
        Path("pipe").read_text()
    return {"echo": event}

if __name__ == "__main__":
    from polylambda import LambdaRuntime
    LambdaRuntime(handler).run()
"""


# Every invocation stays until it is given a byte of its own.
CROWD = """
import asyncio

from polylambda import LambdaManagedRuntime, concurrency_safe

def stay(event, context):
    print("inside", event["number"])
    with open("gate", "rb", buffering=0) as gate:
        gate.read(1)
    return event

async def stay_async(event, context):
    print("inside", event["number"])
    await asyncio.to_thread(lambda: open("gate", "rb", buffering=0).read(1))
    return event

@concurrency_safe
def stay_in_thread(event, context):
    return stay(event, context)

if __name__ == "__main__":
    LambdaManagedRuntime(stay_async).run()
"""

# The local server starts it, it finds out that it needs processes, is started over, and runs in each of those.
ITSELF = """
import sys
print("found", __name__, __file__, sys.argv[1:], sys.path[0], flush=True)

from polylambda import LambdaManagedRuntime

if __name__ == "__main__":
    LambdaManagedRuntime(lambda event, context: "answer").run()
"""


class Program:
    """A running program whose output is read as it comes."""

    def __init__(self, command: list[str], environ: dict[str, str]) -> None:
        self.output = ScreenText()
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ, **environ}
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.output.write(line)

    @property
    def host(self) -> str:
        """Host and port that it says it listens on."""
        self.output.wait_for("  function URL ")
        return self.output.getvalue().partition("  function URL   curl http://")[2].partition("/")[0]

    def request(self, method: str = "POST", path: str = "/invoke", body: bytes = b"{}") -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(self.host, timeout=PATIENCE)
        try:
            connection.request(method, path, body)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def end(self, number: signal.Signals = signal.SIGINT) -> int:
        """Send a signal and return the exit status."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture
def programs() -> Iterator[list[Program]]:
    started: list[Program] = []
    yield started
    for program in started:
        program.close()


class TestDev:
    @pytest.fixture(autouse=True)
    def folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, programs: list[Program]) -> Path:
        monkeypatch.chdir(tmp_path)
        (tmp_path / "app.py").write_text(APP)
        (tmp_path / "src").mkdir()
        (tmp_path / "src" / "inner.py").write_text(APP)
        os.mkfifo(tmp_path / "pipe")
        self.programs = programs
        return tmp_path

    def start(self, *command: str, **environ: str) -> Program:
        program = Program(list(command), environ)
        self.programs.append(program)
        return program

    @pytest.mark.parametrize("target", ["app.handler", "src/inner.handler"])
    def test_target(self, target: str):
        program = self.start(*DEV, target, "--port", "0")
        assert program.request(body=b'{"a": 1}') == (200, b'{"echo":{"a":1}}')
        program.output.wait_for("POST /invoke  ok")
        assert program.end() == 0
        assert "\x1b" not in program.output.getvalue()

    def test_banner_teaches(self):
        program = self.start(*DEV, "app.handler", "--port", "0", AWS_LAMBDA_FUNCTION_NAME="orders")
        url = f"http://{program.host}"
        program.output.wait_for("Ctrl-C")
        text = program.output.getvalue()
        assert f'curl -d \'{{"name": "world"}}\' {url}/invoke' in text
        assert f"aws lambda invoke --endpoint-url {url} --function-name orders out.json" in text

    def test_command(self):
        program = self.start(*DEV, "--port", "0", "--", sys.executable, "-m", "polylambda", "app.handler")
        assert program.request()[0] == 200
        assert program.end(signal.SIGTERM) == 0

    def test_run_outside_lambda(self):
        program = self.start(sys.executable, "-X", "dev", "app.py", LOCAL_LAMBDA_PORT="0")
        assert program.request(body=b'{"a": 1}') == (200, b'{"echo":{"a":1}}')
        assert program.end() == 0

    def test_module_outside_lambda(self):
        command = [sys.executable, "-m", "polylambda", "app.handler"]
        program = self.start(*command, LOCAL_LAMBDA_PORT="0", LOCAL_LAMBDA_INVOCATION_ENDPOINT="/run")
        assert program.request(path="/run", body=b'{"a": 1}') == (200, b'{"echo":{"a":1}}')
        assert program.end() == 0

    @pytest.mark.parametrize("command", [[*DEV, "app.handler"], [sys.executable, "app.py"]])
    def test_port_in_use(self, command: list[str]):
        with listen("127.0.0.1", 0) as taken:
            port = taken.getsockname()[1]
            program = self.start(*command, LOCAL_LAMBDA_PORT=str(port))
            assert program.process.wait(PATIENCE) in (1, 2)
            program.output.wait_for(f"polylambda: port {port} of 127.0.0.1 is in use")
            assert "Traceback" not in program.output.getvalue()

    @pytest.mark.parametrize("command", [[*DEV, "app.handler"], [sys.executable, "app.py"]])
    def test_port_that_is_none(self, command: list[str]):
        program = self.start(*command, LOCAL_LAMBDA_PORT="abc")
        assert program.process.wait(PATIENCE) in (1, 2)
        program.output.wait_for("polylambda: LOCAL_LAMBDA_PORT is 'abc'")
        assert "Traceback" not in program.output.getvalue()

    def test_ctrl_c_lets_what_is_under_way_finish(self, folder: Path):
        program = self.start(*DEV, "app.handler", "--port", "0")
        with ThreadPoolExecutor(1) as callers:
            running = self._wait(program, callers)
            program.process.send_signal(signal.SIGINT)
            program.output.wait_for("finishing what is under way")
            (folder / "pipe").write_text("go")
            assert running.result(PATIENCE)[0] == 200
            assert program.process.wait(PATIENCE) == 0

    def test_second_ctrl_c_does_not_wait(self):
        program = self.start(*DEV, "app.handler", "--port", "0")
        with ThreadPoolExecutor(1) as callers:
            running = self._wait(program, callers)
            program.process.send_signal(signal.SIGINT)
            program.output.wait_for("finishing what is under way")
            assert program.end() == 130
            # What the caller gets is an error or nothing, as it happens.
            failure = running.exception(PATIENCE)
            assert isinstance(failure, http.client.HTTPException | ConnectionError) or running.result()[0] == 500
        assert "Traceback" not in program.output.getvalue()

    @staticmethod
    def _wait(program: Program, callers: ThreadPoolExecutor) -> Future[tuple[int, bytes]]:
        running = callers.submit(program.request, body=b'{"do": "wait"}')
        program.output.wait_for("waiting")
        return running


class TestConcurrency:
    SLOTS = 8

    @pytest.fixture
    def gate(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
        monkeypatch.chdir(tmp_path)
        (tmp_path / "crowd.py").write_text(CROWD)
        os.mkfifo(tmp_path / "gate")
        gate = os.open(tmp_path / "gate", os.O_RDWR)
        yield gate
        os.close(gate)

    def check(self, program: Program, gate: int) -> str:
        with ThreadPoolExecutor(self.SLOTS) as callers:
            bodies = [b'{"number":%d}' % number for number in range(self.SLOTS)]
            answers = [callers.submit(program.request, body=body) for body in bodies]
            program.output.wait_for("inside", times=self.SLOTS)
            os.write(gate, b"x" * self.SLOTS)
            assert [answer.result(PATIENCE) for answer in answers] == [(200, body) for body in bodies]
        program.output.wait_for("POST /invoke  ok", times=self.SLOTS)
        assert program.end() == 0
        return program.output.getvalue()

    @pytest.mark.parametrize("handler", ["stay", "stay_async", "stay_in_thread"])
    def test_callers_overlap(self, handler: str, gate: int, programs: list[Program]):
        programs.append(Program([*DEV, f"crowd.{handler}", "--port", "0", "--concurrency", "8"], {}))
        shown = self.check(programs[0], gate)
        assert "  at a time      8 invocations\n" in shown
        # A line of an invocation begins as the line that tells how it ended.
        for request_id in re.findall(r"  (\w{8})  POST /invoke  ok", shown):
            assert re.search(rf"^{request_id}  inside \d$", shown, re.MULTILINE)

    @pytest.mark.parametrize("command", [["crowd.py"], ["-m", "polylambda", "crowd.stay"]])
    def test_run_outside_lambda(self, command: list[str], gate: int, programs: list[Program]):
        environ = {"LOCAL_LAMBDA_PORT": "0", "AWS_LAMBDA_MAX_CONCURRENCY": "8"}
        programs.append(Program([sys.executable, *command], environ))
        assert "  at a time      8 invocations\n" in self.check(programs[0], gate)

    @pytest.mark.parametrize("command", [["itself.py"], ["-m", "itself"]])
    def test_program_finds_the_same_however_it_was_started(
        self, command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, programs: list[Program]
    ):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "itself.py").write_text(ITSELF)
        environ = {"LOCAL_LAMBDA_PORT": "0", "AWS_LAMBDA_MAX_CONCURRENCY": "2"}
        programs.append(Program([sys.executable, *command, "one", "--two"], environ))
        assert programs[0].request() == (200, b'"answer"')
        programs[0].output.wait_for("found", times=4)
        assert programs[0].end() == 0
        found = [line for line in programs[0].output.getvalue().splitlines() if line.startswith("found")]
        assert set(found) == {f"found __main__ {tmp_path}/itself.py ['one', '--two'] {tmp_path}"}

    def test_option_goes_before_the_variable(self, gate: int, programs: list[Program]):
        command = [*DEV, "crowd.stay", "--port", "0", "--concurrency", "8"]
        programs.append(Program(command, {"AWS_LAMBDA_MAX_CONCURRENCY": "2"}))
        self.check(programs[0], gate)

    def test_ctrl_c_lets_what_is_under_way_finish(self, gate: int, programs: list[Program]):
        program = Program([*DEV, "crowd.stay", "--port", "0", "--concurrency", "2"], {})
        programs.append(program)
        with ThreadPoolExecutor(2) as callers:
            answers = [callers.submit(program.request, body=b'{"number":%d}' % number) for number in range(2)]
            program.output.wait_for("inside", times=2)
            program.process.send_signal(signal.SIGINT)
            program.output.wait_for("finishing what is under way")
            os.write(gate, b"xx")
            assert [answer.result(PATIENCE)[0] for answer in answers] == [200, 200]
        assert program.process.wait(PATIENCE) == 0
