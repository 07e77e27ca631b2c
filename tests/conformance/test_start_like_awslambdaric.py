"""What the platform is told when a function cannot start: by our runtime and by AWS's, against the same server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.environment import Environment

RUNTIMES = ("polylambda", "awslambdaric")
HANDLER = "def handler(event, context): return event\n"
FAILURES = {
    "missing module": ("nowhere.handler", HANDLER, "Runtime.ImportModuleError"),
    "missing module in a folder": ("folder/nowhere.handler", HANDLER, "Runtime.ImportModuleError"),
    "missing import": ("app.handler", "import nowhere\n" + HANDLER, "Runtime.ImportModuleError"),
    "syntax error": ("app.handler", "def handler(:\n", "Runtime.UserCodeSyntaxError"),
    "missing handler": ("app.nothing", HANDLER, "Runtime.HandlerNotFound"),
    "malformed name": ("handler", HANDLER, "Runtime.MalformedHandlerName"),
    "built-in module": ("sys.exit", HANDLER, "Runtime.BuiltInModuleConflict"),
}
HOOKS = """
import snapshot_restore_py as hooks

def tell(what):
    print(what, flush=True)
    if what == {fail!r}:
        raise KeyError(what)

for number in (1, 2):
    hooks.register_before_snapshot(tell, f"before {{number}}")
    hooks.register_after_restore(tell, f"after {{number}}")

def handler(event, context):
    return event
"""


@pytest.fixture
def environment() -> Iterator[Environment]:
    with Environment() as environment:
        yield environment


@pytest.fixture
def snapstart() -> Iterator[Environment]:
    with Environment(initialization_type="snap-start") as environment:
        yield environment


def failures(
    environment: Environment, folder: Path, source: str, name: str, *, status: int
) -> list[tuple[str, dict[str, Any], list[str]]]:
    """What each runtime told the platform, error type and payload, and what it printed."""
    told: list[tuple[str, dict[str, Any], list[str]]] = []
    for module in RUNTIMES:
        environment.api.runtime_started()
        with environment.program(folder, source, "-m", module, name) as program:
            assert program.wait() == status, program.stderr
        assert environment.api.init_error is not None
        error_type, payload = environment.api.init_error
        told.append((error_type, json.loads(payload), program.lines))
    return told


@pytest.mark.parametrize("failure", FAILURES)
def test_a_handler_that_cannot_be_loaded(environment, tmp_path, failure):
    name, source, expected = FAILURES[failure]
    (ours_type, ours, _), (theirs_type, theirs, _) = failures(environment, tmp_path, source, name, status=1)
    assert ours_type == theirs_type == expected
    assert list(ours) == list(theirs)
    assert ours["errorType"] == theirs["errorType"] == expected
    assert ours["requestId"] == theirs["requestId"] == ""
    if failure != "malformed name":  # theirs is about unpacking values
        assert ours["errorMessage"] == theirs["errorMessage"]
    if "missing" not in failure or failure == "missing handler":  # we also show where the import failed
        assert ours["stackTrace"] == theirs["stackTrace"]


def test_a_module_that_raises(environment, tmp_path):
    source = "def connect():\n    raise KeyError('table')\nconnect()\n"
    ours, theirs = failures(environment, tmp_path, source, "app.handler", status=1)
    ours_type, ours_payload, _ = ours
    _, theirs_payload, _ = theirs
    assert ours_type == "Function.KeyError"  # theirs has no category, which the platform does not know
    frames = [line for line in theirs_payload["stackTrace"] if "app.py" in line]
    assert ours_payload == {**theirs_payload, "stackTrace": frames}


def test_hooks_around_a_snapshot(snapstart, tmp_path):
    for module in RUNTIMES:
        snapstart.api.runtime_started()
        with snapstart.program(tmp_path, HOOKS.format(fail=""), "-m", module, "app.handler") as program:
            assert snapstart.invoke(b"1").body == b"1"
            program.process.kill()
            program.wait()
        assert program.lines == ["before 2", "before 1", "after 1", "after 2"]


@pytest.mark.parametrize(
    ("fail", "status", "error_type"),
    [("before 2", 64, "Runtime.BeforeSnapshotError"), ("after 1", 65, "Runtime.AfterRestoreError")],
)
def test_a_hook_that_fails(snapstart, tmp_path, fail, status, error_type):
    ours, theirs = failures(snapstart, tmp_path, HOOKS.format(fail=fail), "app.handler", status=status)
    assert ours[0] == theirs[0] == error_type
    assert {**ours[1], "stackTrace": []} == {**theirs[1], "stackTrace": []}
    assert ours[1]["errorType"] == "KeyError"
    assert ours[2][-1].startswith("[ERROR] KeyError")
