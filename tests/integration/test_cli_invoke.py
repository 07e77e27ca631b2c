"""`polylambda invoke`, as a person and a shell script use it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

INVOKE = [sys.executable, "-c", "import sys; from polylambda.cli import main; sys.exit(main())", "invoke"]

APP = """
import asyncio, os, sys, time

def handler(event, context):
    print("a line of log")
    if event.get("do") == "raise":
        raise ValueError("no good")
    if event.get("do") == "exit":
        os._exit(4)
    if event.get("do") == "sleep":
        time.sleep(60)
    custom = context.client_context and context.client_context.custom
    return {"echo": event, "custom": custom, "value": os.environ.get("VALUE")}

def raw(event, context):
    return b"\\x00\\xff"

def pieces(event, context):
    yield b"one "
    yield b"two"
    if event.get("do") == "raise":
        raise ValueError("no good")

def prelude(event: bytes, response, context):
    response.start_http(201, {"x-made-by": "app"})
    response.write(b"made")
    response.finish()

async def background(event, response, context):
    await response.finish(b'{"early": true}')
    await asyncio.sleep(0.2)
    print("after the response")
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "app.py").write_text(APP)
    return tmp_path


def invoke(*arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([*INVOKE, *arguments], input=stdin, capture_output=True, check=False, timeout=50)


def test_result_on_stdout_and_log_on_stderr():
    done = invoke("app.handler", "--event", '{"a": "ä"}')
    assert done.returncode == 0
    assert done.stdout.endswith(b"\n")
    assert json.loads(done.stdout)["echo"] == {"a": "ä"}
    assert done.stderr == b"a line of log\n"


def test_event_is_empty_unless_given():
    assert json.loads(invoke("app.handler").stdout)["echo"] == {}


def test_event_from_a_file_and_from_standard_input(folder: Path):
    (folder / "event.json").write_text('{"from": "file"}')
    assert json.loads(invoke("app.handler", "--event", "event.json").stdout)["echo"] == {"from": "file"}
    assert json.loads(invoke("app.handler", "--event", "-", stdin=b'{"from": "stdin"}').stdout)["echo"] == {
        "from": "stdin"
    }


def test_client_context_and_env_file(folder: Path):
    (folder / ".env").write_text("VALUE=from the file")
    done = invoke("app.handler", "--client-context", '{"custom": {"k": "v"}}', "--env-file", ".env")
    assert json.loads(done.stdout) == {"echo": {}, "custom": {"k": "v"}, "value": "from the file"}


def test_bytes_are_written_as_they_are():
    assert invoke("app.raw").stdout == b"\x00\xff"


@pytest.mark.parametrize("options", [[], ["--stream"]])
def test_stream(options: list[str]):
    done = invoke("app.pieces", *options)
    assert (done.returncode, done.stdout.rstrip(b"\n")) == (0, b"one two")


def test_stream_that_breaks_off():
    done = invoke("app.pieces", "--stream", "--event", '{"do": "raise"}')
    assert (done.returncode, done.stdout.rstrip(b"\n")) == (1, b"one two")
    assert b"the stream broke off: Function.ValueError" in done.stderr


def test_stream_that_breaks_off_is_an_error_in_one_piece():
    done = invoke("app.pieces", "--event", '{"do": "raise"}')
    assert (done.returncode, json.loads(done.stdout)["errorMessage"]) == (1, "no good")


def test_prelude_goes_to_stderr():
    done = invoke("app.prelude")
    assert (done.returncode, done.stdout) == (0, b"made")
    assert b"HTTP 201" in done.stderr
    assert b"x-made-by: app" in done.stderr


def test_background_work_is_waited_for():
    done = invoke("app.background")
    assert json.loads(done.stdout) == {"early": True}
    assert b"after the response" in done.stderr


def test_function_error():
    done = invoke("app.handler", "--event", '{"do": "raise"}')
    assert (done.returncode, json.loads(done.stdout)["errorType"]) == (1, "ValueError")
    assert b"[ERROR] ValueError: no good" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "error_type"),
    [
        (["app.nope"], "Runtime.HandlerNotFound"),
        (["app.handler", "--event", '{"do": "exit"}'], "Runtime.ExitError"),
        (["app.handler", "--event", '{"do": "sleep"}', "--timeout", "0.3"], "Sandbox.Timedout"),
        (["--", sys.executable, "-c", "pass"], "Runtime.ExitError"),
    ],
)
def test_what_did_not_run(arguments: list[str], error_type: str):
    done = invoke(*arguments)
    assert (done.returncode, json.loads(done.stdout)["errorType"]) == (3, error_type)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nope.handler"], "there is no module 'nope'"),
        (["app.handler", "--event", "nope.json"], "there is no event file nope.json"),
        (["app.handler", "--event", "{"], "not JSON"),
        (["app.handler", "--frob"], "--frob"),
        (["--", "no-such-program"], "cannot run 'no-such-program'"),
        (["app.handler", "--env-file", "nope"], "the env file nope cannot be read"),
    ],
)
def test_mistakes_are_one_sentence(arguments: list[str], message: str):
    done = invoke(*arguments)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(b"polylambda: ")
    assert done.stderr.count(b"\n") == 1
    assert message in done.stderr.decode()


def test_reader_who_has_seen_enough():
    command = subprocess.Popen([*INVOKE, "app.handler"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert command.stdout is not None
    command.stdout.close()
    _, errors = command.communicate(timeout=50)
    assert errors == b"a line of log\n"
