"""`make demo`: it shows what it promises, notices when it does not, and leaves nothing behind."""

from __future__ import annotations

import os
import pty
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent

ONE_SCENE = "import sys; from scripts import demo; sys.exit(demo.main([demo.{}]))"
ELSEWHERE = (
    "import sys, pathlib; from scripts import demo; demo.EXAMPLES = pathlib.Path({!r}); sys.exit(demo.main([demo.{}]))"
)


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


def test_all_of_it(environ: dict[str, str]):
    done = run(environ, "-m", "scripts.demo")
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
    source = "from scripts import demo; demo.PATIENCE = 2.0\n" + ELSEWHERE.format(str(examples), scene)
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


def rest(screen) -> bytes:
    """What is still shown, until nobody holds the terminal any more."""
    shown = b""
    try:
        while piece := screen.read(4096):
            shown += piece
    except OSError:  # Linux says so
        pass
    return shown
