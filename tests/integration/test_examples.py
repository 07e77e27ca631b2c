"""Every example does what its README says, and still does when it was moved to the managed runtime as the docs say."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from polylambda.cli.commands import app
from scripts import conformance_tools
from tests.environment import Environment, Program, eventually
from tests.integration.transcript import PLAIN_PYTEST, Terminal, blocks, steps

ROOT = Path(__file__).parent.parent.parent
EXAMPLES = ROOT / "examples"
FOLDERS = sorted(path.parent.name for path in EXAMPLES.glob("*/app.py"))
FILES = ("README.md", "app.py", "requirements.txt", "test_app.py")
SECTIONS = ["Run locally", "Test", "Package", "Deploy", "Clean up"]
SHARED = {"hello_json", "streaming", "background_tasks"}  # they have one template together

OWN_TESTS = "python -m pytest -q"
# Of those that need nothing but polylambda two are packaged, as a layer and as a zip, and testing_levels by its own tests.
PACKAGED_ALIKE = {
    *("background_tasks", "streaming", "json_logging", "middleware_and_lifespan", "migration", "tenants"),
    "testing_levels",
}

NEEDS_AWS = re.compile(r"(sam|cdk|aws) ")
LOCAL_AWS = re.compile(r"--endpoint-url http://127\.0\.0\.1:")

MANAGED = {
    name[1]: diff
    for language, diff in blocks(ROOT / "docs" / "managed.md")
    if language == "diff" and (name := re.match(r"--- examples/(\w+)/app\.py\n", diff))
}
SLOTS = 8
CALLS = range(10, 26)  # two rounds of the slots, numbers that are no part of each other


def test_there_are_examples():
    assert set(FOLDERS) >= {"hello_json", "streaming", "background_tasks", "middleware_and_lifespan", "typed_events"}
    index = (EXAMPLES / "README.md").read_text()
    assert all(f"[{folder}]({folder}/)" in index for folder in FOLDERS)


@pytest.mark.parametrize("folder", FOLDERS)
def test_has_all_that_an_example_has(folder: str):
    present = {path.name for path in (EXAMPLES / folder).iterdir()}
    assert present >= {*FILES, *(() if folder in SHARED else ("template.yaml",))}
    found = re.findall(r"^## (.*)$", (EXAMPLES / folder / "README.md").read_text(), re.MULTILINE)
    assert [section for section in found if section in SECTIONS] == SECTIONS


@pytest.mark.timeout(300)  # it serves, tests, packages and runs what it has packaged
@pytest.mark.parametrize("folder", FOLDERS)
def test_readme(folder: str, tmp_path: Path):
    """All that it says can be done without AWS, in a copy; its own tests are among that."""
    if shutil.which("curl") is None or shutil.which("jq") is None:
        pytest.fail("the READMEs use curl and jq: install them", pytrace=False)
    copy = copied(folder, tmp_path)
    found = steps(copy / "README.md")
    assert any(step.serves for step in found)
    assert any(step.output for step in found)
    assert OWN_TESTS in [step.command for step in found]
    assert any(step.command.startswith("polylambda package") for step in found)
    with Terminal(copy, variables(folder)) as terminal:
        for step in found:
            if NEEDS_AWS.match(step.command) and not LOCAL_AWS.search(step.command):
                continue
            if folder in PACKAGED_ALIKE and step.command.startswith("polylambda package"):
                app.parse_args(shlex.split(step.command)[1:], print_error=False, exit_on_error=False)
            elif "-m pytest" not in step.command or step.command == OWN_TESTS:  # a part of them would be a second run
                terminal.run(step)


def test_what_is_packaged_for_all():
    """What the others need is what these need, who are packaged and tried; their own code is in the zip, or beside it."""
    of = {folder: (EXAMPLES / folder / "requirements.txt").read_text() for folder in FOLDERS}
    packaged = {of[folder] for folder in FOLDERS if folder not in PACKAGED_ALIKE}
    assert {of[folder] for folder in PACKAGED_ALIKE} <= packaged
    commands = {
        step.command
        for folder in FOLDERS
        if folder not in PACKAGED_ALIKE
        for step in steps(EXAMPLES / folder / "README.md")
        if step.command.startswith("polylambda package")
    }
    assert any("--kind layer" in command for command in commands)
    assert any("--check" in command for command in commands)


def variables(folder: str) -> dict[str, str]:
    """For the one whose libraries do not go with those of the other examples: its environment comes first."""
    if folder != "s3_async":
        return PLAIN_PYTEST
    if not conformance_tools.AIOBOTOCORE_PYTHON.exists():
        pytest.fail(f"{conformance_tools.AIOBOTOCORE_PYTHON} is missing: run `make tools`.", pytrace=False)
    path = f"{conformance_tools.AIOBOTOCORE_PYTHON.parent}{os.pathsep}{os.environ['PATH']}"
    return {**PLAIN_PYTEST, "PATH": path}


def copied(folder: str, tmp_path: Path) -> Path:
    """A copy of an example, beside what it shares with others."""
    ignored = shutil.ignore_patterns("__pycache__", "build", ".polylambda", ".pytest_cache")
    shutil.copytree(EXAMPLES / "events", tmp_path / "events")
    shutil.copy(EXAMPLES / "template.yaml", tmp_path)
    return Path(shutil.copytree(EXAMPLES / folder, tmp_path / folder, ignore=ignored))


def run_own_tests(folder: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    environ = {**os.environ, **PLAIN_PYTEST}
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


# Moved to the managed runtime


def test_docs_move_what_has_a_runtime():
    assert set(MANAGED) == {folder for folder in FOLDERS if "LambdaRuntime" in source_of(folder)}


@pytest.mark.parametrize("folder", MANAGED)
def test_two_changes_are_all(folder: str):
    moved = apply(MANAGED[folder], source_of(folder))
    assert "LambdaRuntime" not in moved
    undeclared = moved.replace(", concurrency_safe", "").replace("@concurrency_safe\n", "")
    assert undeclared.replace("LambdaManagedRuntime", "LambdaRuntime") == source_of(folder)


@pytest.mark.parametrize("folder", MANAGED)
def test_moved_example_passes_its_own_tests(folder: str, tmp_path: Path):
    copy = copied(folder, tmp_path)
    (copy / "app.py").write_text(apply(MANAGED[folder], source_of(folder)))
    run_own_tests(copy)


@pytest.mark.parametrize("folder", MANAGED)
def test_moved_example_with_eight_slots(folder: str, tmp_path: Path):
    source = apply(MANAGED[folder], source_of(folder))
    with (
        Environment(max_concurrency=SLOTS, initialization_type="lambda-managed-instances") as environment,
        environment.program(tmp_path, source, "app.py") as program,
    ):
        eventually(lambda: len(environment.broker._polls) == SLOTS)
        USES[folder](environment, program)
        program.send(signal.SIGTERM)
        assert program.wait() == 0, program.stderr
        if folder == "middleware_and_lifespan":
            assert program.lines.count("closed the database") == SLOTS


def source_of(folder: str) -> str:
    return (EXAMPLES / folder / "app.py").read_text()


def apply(diff: str, source: str) -> str:
    """Apply a diff whose hunks have no line numbers: what they replace must be there once."""
    for hunk in diff.split("@@\n")[1:]:
        lines = hunk.splitlines(keepends=True)
        assert {line[0] for line in lines} <= set(" -+")
        before, after = ("".join(line[1:] for line in lines if line[0] != sign) for sign in "+-")
        assert source.count(before) == 1, before
        source = source.replace(before, after)
    return source


def answers(environment: Environment, events: dict[int, Any]) -> dict[int, Any]:
    """Send all events at once; return the answers by the events' numbers."""
    begun = {number: environment.begin(json.dumps(event).encode()) for number, event in events.items()}
    return {number: answer.result().json for number, answer in begun.items()}


def greet(environment: Environment, program: Program) -> None:
    events = {number: {"name": f"caller {number}", "times": 2} for number in CALLS}
    assert answers(environment, events) == {n: {"greetings": [f"Hello caller {n}!"] * 2} for n in CALLS}


def read_streams(environment: Environment, program: Program) -> None:
    with ExitStack() as stack:
        streams = {
            number: stack.enter_context(
                environment.stream(json.dumps({"queryStringParameters": {"text": f"one {number}"}}).encode())
            )
            for number in CALLS
        }
        bodies = {number: b"".join(stream).rpartition(b"\0")[2] for number, stream in streams.items()}
    assert bodies == {number: b"one %d \n" % number for number in CALLS}


def place_orders(environment: Environment, program: Program) -> None:
    events = {number: {"id": str(number), "item": "tea"} for number in CALLS}
    assert answers(environment, events) == {n: {"order": str(n), "status": "accepted"} for n in CALLS}
    for number in CALLS:
        packed = f"order {number}: packed 1 of 1"
        if not any(packed in line for line in program.lines):
            program.expect(packed)


def send_batches(environment: Environment, program: Program) -> None:
    order = json.dumps({"id": "7", "item": "tea", "count": 2})
    events = {
        number: {"Records": [{"messageId": f"m{number}", "body": "no JSON"}, {"messageId": "good", "body": order}]}
        for number in CALLS
    }
    assert answers(environment, events) == {n: {"batchItemFailures": [{"itemIdentifier": f"m{n}"}]} for n in CALLS}


USES = {
    "hello_json": greet,
    "streaming": read_streams,
    "background_tasks": place_orders,
    "middleware_and_lifespan": send_batches,
}
