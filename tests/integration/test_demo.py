"""`make demo`: it shows what it promises, notices when it does not, and leaves nothing behind."""

from __future__ import annotations

import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts import demo

ROOT = Path(__file__).parent.parent.parent

ONE_SCENE = "import sys; from scripts import demo; sys.exit(demo.main([demo.{}]))"
LOCAL_SCENES = "demo.existing_function, demo.bad_event, demo.stream, demo.background_work"
ELSEWHERE = """import sys, pathlib
from scripts import demo, demo_stage
demo_stage.EXAMPLES = pathlib.Path({!r})
sys.exit(demo.main([demo.{}]))
"""
# The same with smaller numbers: a machine that runs other tests as well is slow.
SHORT_PLANE = """import sys
from scripts import demo, demo_plane
demo_plane.TIME_SCALE, demo_plane.SETTLE, demo_plane.ENOUGH = 60, 20, 60
demo_plane.RATE, demo_plane.RAMP, demo_plane.HOLD = 160, 4, 6
sys.exit(demo.main([demo.managed_instances]))
"""


@pytest.fixture
def environ() -> Iterator[dict[str, str]]:
    """For the demo; whatever it started and did not end has the mark in its own environment."""
    mark = f"DEMO_MARK={uuid.uuid4()}"
    name, _, value = mark.partition("=")
    yield {**os.environ, name: value}
    left = [path.parent.name for path in Path("/proc").glob("[0-9]*/environ") if mark.encode() in read(path)]
    assert not left, f"still running: {left}"


def read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # it has ended, or is somebody else's
        return b""


def run(environ: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)


def test_local_scenes(environ: dict[str, str]):
    done = run(environ, "-c", f"import sys; from scripts import demo; sys.exit(demo.main([{LOCAL_SCENES}]))")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    shown = done.stdout
    assert "\x1b" not in shown  # plain: this is no terminal
    assert '"statusCode":201' in shown
    assert '{"batchItemFailures":[{"itemIdentifier":"5b6c0d4e-' in shown
    assert "s3://tea-shop-uploads/orders/february 2026.csv" in shown
    assert "event.times: expected int, got str" in shown
    words = [
        line.split()[2] for line in shown.splitlines() if line.endswith((" ms  Every", " ms  word", " ms  written."))
    ]
    assert words == ["Every", "word", "written."]
    assert shown.index('"status":"accepted"') < shown.index("packed 1 of 2") < shown.index("packed 2 of 2")
    assert "All of it as promised" in shown


@pytest.mark.timeout(180)
def test_managed_instances(environ: dict[str, str]):
    done = run(environ, "-c", SHORT_PLANE)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    shown = done.stdout
    commands = re.findall(r"\$ (?:cd \S+ && )?(polylambda \w+|kill -9)", shown)
    assert commands == ["polylambda up", "polylambda ps", "polylambda load", "kill -9", "polylambda down"]
    assert "function orders 3 → " in shown
    # The fleet is looked at now and then: it may be Unhealthy only between two looks.
    assert re.search(r"instance i-\w+ .*is (Unhealthy|gone)", shown)
    assert "All of it as promised" in shown


def test_the_demo_is_all_scenes():
    assert [scene.__name__ for scene in demo.SCENES] == [
        "existing_function",
        "bad_event",
        "stream",
        "background_work",
        "managed_instances",
    ]


@pytest.fixture
def examples(tmp_path: Path) -> Path:
    return Path(shutil.copytree(ROOT / "examples", tmp_path / "examples", ignore=shutil.ignore_patterns("__pycache__")))


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.mark.parametrize(
    ("scene", "example", "old", "new", "broken"),
    [
        ("existing_function", "unmodified", '"statusCode": 201', '"statusCode": 200', "creates an order"),
        ("bad_event", "hello_json", "times: int", "times: str", "names the field"),
        ("stream", "streaming", 'await response.write(f"{word} ")', "pass", "several pieces"),
        ("background_work", "background_tasks", "await pack(event)", "raise ValueError", "packed 1 of 2"),
    ],
)
def test_broken_promise(
    environ: dict[str, str], examples: Path, scene: str, example: str, old: str, new: str, broken: str
):
    replace(examples / example / "app.py", old, new)
    source = "from scripts import demo_stage; demo_stage.PATIENCE = 2.0\n" + ELSEWHERE.format(str(examples), scene)
    done = run(environ, "-c", source)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Not as promised" in done.stdout
    assert broken in done.stdout
    assert done.stderr == ""


def test_function_that_cannot_start(environ: dict[str, str], examples: Path):
    (examples / "hello_json" / "app.py").write_text("import no_such_module\n")
    done = run(environ, "-c", ELSEWHERE.format(str(examples), "bad_event"))
    assert done.returncode == 1
    assert "no_such_module" in done.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_on_a_terminal(environ: dict[str, str], number: signal.Signals):
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", ONE_SCENE.format("stream")]
    with open(ours, "rb", buffering=0) as screen:
        process = subprocess.Popen(command, cwd=ROOT, env={**environ, "TERM": "xterm"}, stdout=theirs, stderr=theirs)
        os.close(theirs)
        shown = b""
        while b"Every" not in shown:
            shown += screen.read(4096)
        process.send_signal(number)
        shown += rest(screen)
        status = process.wait()
    assert status == 130, shown
    assert b"\x1b[" in shown  # in colour
    assert b"Stopped." in shown
    assert b"Traceback" not in shown


def test_interrupted_while_a_plane_runs(environ: dict[str, str]):
    command = [sys.executable, "-c", ONE_SCENE.format("managed_instances")]
    with subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "SECOND" in line:  # it is under load
                process.send_signal(signal.SIGINT)
                break
        shown = process.stdout.read()
    assert process.returncode == 130, shown
    assert "Stopped." in shown


def rest(screen) -> bytes:
    """What is still shown, until nobody holds the terminal any more."""
    shown = b""
    try:
        while piece := screen.read(4096):
            shown += piece
    except OSError:  # Linux says so
        pass
    return shown
