"""`polylambda up`, `ps`, `logs`, `load` and `down`, as a person uses them: in processes of their own."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from polylambda.cli.logs import _next_lines
from polylambda.plane.contact import contact
from scripts.demo_stage import Program
from tests.integration.transcript import Step, blocks, steps_of

ROOT = Path(__file__).parents[2]
POLYLAMBDA = str(Path(sys.executable).parent / "polylambda")
PATIENCE = 50.0

TEMPLATE = """
Resources:
  Pool: {Type: AWS::Serverless::CapacityProvider}
  Hello:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: hello
      CodeUri: code
      Handler: app.handler
      Runtime: python3.13
      CapacityProviderConfig: {Arn: !GetAtt Pool.Arn}
      FunctionScalingConfig: {MinExecutionEnvironments: 1, MaxExecutionEnvironments: 2}
"""


class Up(Program):
    """`polylambda up` in a folder."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        super().__init__("polylambda", "up", "--port", "0", *arguments, cwd=folder)
        self.printed = ""

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Read its output until `pattern` is there."""
        while not (found := re.search(pattern, self.printed)):
            line = self.lines.get(timeout=PATIENCE).text
            assert line is not None, self.printed
            self.printed += f"{line}\n"
        return found

    @property
    def url(self) -> str:
        return self.wait_for(r"a plane on (http://127\.0\.0\.1:\d+)")[1]

    def end(self) -> int:
        """Wait for its end, and return its exit status and the rest of its output."""
        status = self.process.wait(PATIENCE)
        while (line := self.lines.get(timeout=PATIENCE).text) is not None:
            self.printed += f"{line}\n"
        return status


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "template.yaml").write_text(TEMPLATE)
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "app.py").write_text("def handler(event, context):\n    print('called')\n    return 'first'\n")
    return tmp_path


@pytest.fixture
def programs() -> Iterator[list[Program]]:
    started: list[Program] = []
    yield started
    for program in started:
        program.stop()


def start(programs: list[Program], folder: Path, *arguments: str) -> Up:
    up = Up(folder, *arguments)
    up.__enter__()
    programs.append(up)
    return up


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([POLYLAMBDA, *arguments], cwd=folder, capture_output=True, text=True, check=False)


def invoke(up: Up, function: str = "hello", event: Any = None) -> Any:
    host = up.url.removeprefix("http://")
    connection = http.client.HTTPConnection(host, timeout=PATIENCE)
    try:
        connection.request("POST", f"/2015-03-31/functions/{function}/invocations", json.dumps(event or {}))
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE  # which whoever adopted it has not yet seen
    except psutil.NoSuchProcess:
        return False


def test_empty_plane(tmp_path: Path, programs: list[Program]):
    up = start(programs, tmp_path)
    up.wait_for("Ctrl-C")
    assert "empty plane" in run(tmp_path, "ps").stdout
    second = run(tmp_path, "up", "--port", "0")
    assert second.returncode == 2
    assert f"{up.url}) already" in second.stderr.replace("\n", " ") or "runs with --data-dir" in second.stderr
    live = Program("polylambda", "ps", "-w", cwd=tmp_path).__enter__()
    programs.append(live)
    for _ in range(2):
        while "empty plane" not in str(live.lines.get(timeout=PATIENCE).text):
            pass
    assert live.stop() == 130
    down = run(tmp_path, "down")
    assert (down.returncode, down.stdout) == (0, f"the plane at {up.url} has ended\n"), down.stderr
    assert up.end() == 0
    assert run(tmp_path, "down").returncode == 2


def test_ctrl_c(tmp_path: Path, programs: list[Program]):
    up = start(programs, tmp_path)
    up.wait_for("Ctrl-C")
    up.process.send_signal(signal.SIGINT)
    assert up.end() == 0
    assert "nothing of it runs any more" in up.printed
    assert "Traceback" not in up.printed


def test_template_and_all_that_looks_at_it(folder: Path, programs: list[Program]):
    up = start(programs, folder, "template.yaml", "--watch")
    up.wait_for("function hello is there")
    assert invoke(up) == "first"
    (version,) = (each for each in json.loads(run(folder, "ps", "--json").stdout)["versions"] if each["ready"])
    assert (version["function"], version["min"], version["max"]) == ("hello", 1, 2)
    load = run(folder, "load", "hello", "--rate", "20", "--hold", "1", "--interval", "0.5")
    assert load.returncode == 0, load.stdout + load.stderr
    assert re.search(r"^ +20  answered \(100\.0%\)$", load.stdout, re.MULTILINE)
    log = run(folder, "logs", "hello", "-n", "1000").stdout
    records = [json.loads(line) for line in log.splitlines()]
    assert any("called" in json.dumps(record) for record in records)
    assert "Launched" in run(folder, "logs", "Pool", "--provider").stdout
    # Published again, and what ran the old code gone.
    app = folder / "code" / "app.py"
    app.write_text(app.read_text().replace("first", "second"))
    up.wait_for(r"app\.py.* changed")
    deadline = time.monotonic() + PATIENCE
    while invoke(up) != "second":
        assert time.monotonic() < deadline
    (folder / "template.yaml").write_text("Resources: [")
    up.wait_for("is not YAML")
    assert run(folder, "down").returncode == 0
    assert up.end() == 0
    # What is there already is not published again.
    (folder / "template.yaml").write_text(TEMPLATE)
    again = start(programs, folder, "template.yaml")
    again.wait_for("function hello is there")
    assert "publishing" not in again.printed
    assert invoke(again) == "second"


def test_what_changes_while_a_function_does_not_come_up(folder: Path, programs: list[Program]):
    app = folder / "code" / "app.py"
    working = app.read_text()
    app.write_text("import threading\nthreading.Event().wait()\n")  # its init does not end
    up = start(programs, folder, "template.yaml", "--watch")
    up.wait_for("environment .* is Starting")
    app.write_text(working)
    up.wait_for(r"app\.py.* changed")
    up.wait_for("function hello is there")
    assert invoke(up) == "first"
    assert run(folder, "down").returncode == 0
    assert up.end() == 0


def test_what_the_plane_refuses_ends_it(folder: Path, programs: list[Program]):
    (folder / "template.yaml").write_text(TEMPLATE.replace("python3.13", "python2.7"))
    up = start(programs, folder, "template.yaml")
    assert up.end() == 1
    assert "CreateFunction: " in up.printed
    assert "python2.7" in up.printed
    assert "Traceback" not in up.printed


def test_template_that_is_none_starts_nothing(tmp_path: Path):
    done = run(tmp_path, "up", "nope.yaml")
    assert (done.returncode, done.stderr) == (2, "polylambda: there is no template or folder nope.yaml\n")
    assert list(tmp_path.iterdir()) == []


def test_down_ends_what_a_killed_plane_left(folder: Path, programs: list[Program]):
    up = start(programs, folder, "template.yaml")
    up.wait_for("function hello is there")
    there = contact(folder / ".polylambda")
    pids = {each["pid"] for kind in ("instances", "environments") for each in there.fleet()[kind]}
    assert there.pid == up.process.pid
    # Agents notice that their plane is gone; stopped ones do not.
    agents = [psutil.Process(each["pid"]) for each in there.fleet()["instances"]]
    for agent in agents:
        agent.suspend()
    up.process.kill()
    assert up.end() == -signal.SIGKILL
    down = run(folder, "down")
    assert down.returncode == 0, down.stderr
    assert "was not running any more" in down.stdout
    assert not [pid for pid in pids if alive(pid)]
    assert list((folder / ".polylambda" / "instances").iterdir()) == []
    assert "no plane runs" in run(folder, "ps").stderr


def test_logs_are_followed_into_the_next_file(tmp_path: Path):
    path = tmp_path / "f.jsonl"
    lines = _next_lines(path, 0)
    path.write_bytes(b"1\n2\n3")
    assert [next(lines), next(lines)] == [b"1\n", b"2\n"]
    with path.open("ab") as file:
        file.write(b" and more\n4\n")
    path.rename(tmp_path / "f.1.jsonl")
    path.write_bytes(b"5\n")
    assert [next(lines), next(lines), next(lines)] == [b"3 and more\n", b"4\n", b"5\n"]
    lines.close()


def localised(text: str, up: Up) -> str:
    return text.replace("http://127.0.0.1:9400", up.url)


class TestExample:
    """What its README and the documentation say, in a copy of its folder."""

    @pytest.fixture
    def copy(self, tmp_path: Path) -> Path:
        ignored = shutil.ignore_patterns("__pycache__", ".polylambda", "out.json")
        source = ROOT / "examples" / "managed_instances"
        return Path(shutil.copytree(source, tmp_path / "managed_instances", ignore=ignored))

    @pytest.mark.parametrize("page", ["examples/managed_instances/README.md", "docs/plane.md"])
    def test_page(self, page: str, copy: Path, aws: str, programs: list[Program]):
        up, exports = None, ""
        for language, source in blocks(ROOT / page):
            if language == "py":
                assert up is not None
                exec(compile(localised(source, up), page, "exec"), {})
            if language not in ("console", "sh"):  # in docs/, `console` is for the commands that run without a plane
                continue
            for step in steps_of(source):
                if step.command.startswith("polylambda up"):
                    up = start(programs, copy, "template.yaml")
                    for function in ("orders", "thumbnail", "report"):
                        up.wait_for(f"function {function} is there")
                    continue
                assert up is not None
                here = Step(localised(step.command, up), [localised(line, up) for line in step.output])
                if here.command.startswith("export "):
                    exports += f"{here.command}; "
                    continue
                done = self.bash(copy, f"{aws}{exports}{here.command}")
                here.check(done.stdout, done.stderr)
        assert up is not None
        assert up.end() == 0

    @staticmethod
    def bash(folder: Path, command: str) -> subprocess.CompletedProcess[str]:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return subprocess.run(
            ["bash", "-c", command],
            cwd=folder,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
