"""The pytest plugin, in a pytest of its own."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

TESTS = """
import contextlib

life = []

@contextlib.contextmanager
def lifespan():
    life.append("enter")
    yield "state"
    life.append("leave")

def handler(event, context):
    return [event, context.state]

def test_client(handler_client):
    client = handler_client(handler, lifespan=lifespan)
    assert client.invoke(1).value == [1, "state"]
    assert life == ["enter"]

def test_lifespan_ended_with_its_test():
    assert life == ["enter", "leave"]

def test_runtime(runtime_client):
    assert runtime_client(handler).invoke(1).value == [1, None]

def test_context(lambda_context, handler_client):
    assert handler_client(lambda event, context: context.aws_request_id).invoke(context=lambda_context).value \\
        == lambda_context.aws_request_id
"""


def test_pytest_finds_the_plugin():
    (found,) = entry_points(group="pytest11", name="polylambda")
    assert found.value == "polylambda.testing.plugin"


def test_fixtures(tmp_path: Path):
    (tmp_path / "test_it.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:randomly", "-p", "no:cacheprovider", "."]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 passed" in done.stdout


def test_plugin_is_light():
    # Everybody's pytest imports it where polylambda is installed. pytest itself imports dataclasses, pathlib and the like.
    source = """
import sys, pytest, _pytest.config
before = set(sys.modules)
import polylambda.testing.plugin
print(*sorted(set(sys.modules) - before))
"""
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    assert "polylambda.testing.plugin" in loaded
    heavy = {"asyncio", "msgspec", "pydantic", "rich", "socket", "ssl", "uuid"}
    assert not heavy & set(loaded)
    assert not [name for name in loaded if name.startswith(("polylambda.server", "polylambda.local"))]
    assert "polylambda.testing.client" not in loaded
