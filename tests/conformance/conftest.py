"""Fixtures of the conformance tests: where AWS's programs are, and what a function needs to run under the emulator.

`tests.conformance.emulator.Emulator` runs a function. The function's Python is `function_python`; in the managed-instances
mode it runs as another user, so all it imports must be readable for everybody: give it `polylambda_path` as PYTHONPATH,
and its modules as `files`.
"""

from __future__ import annotations

import functools
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import polylambda
from scripts import conformance_tools, environments
from tests.conformance import sample_events


def _installed(path: Path) -> Path:
    if not path.exists():
        pytest.fail(f"{path} is missing: run `make tools`.", pytrace=False)
    return path


@pytest.fixture(scope="session")
def rie_binary() -> Path:
    """AWS's emulator."""
    return _installed(conformance_tools.EMULATOR)


@pytest.fixture(scope="session")
def function_python() -> str:
    """A Python that uid 993 can run, with awslambdaric and what polylambda depends on (uvloop too), but not polylambda."""
    return str(_installed(environments.python_of(conformance_tools.function_environment())))


@pytest.fixture(scope="session")
def awslambdaric_python(function_python: str) -> str:
    """A Python that has awslambdaric: `[awslambdaric_python, "-m", "awslambdaric", "app.handler"]`."""
    return function_python


@pytest.fixture(scope="session")
def polylambda_path(function_python: str) -> Iterator[str]:
    """A folder for PYTHONPATH with a copy of polylambda that uid 993 can read, wherever the checkout is."""
    with tempfile.TemporaryDirectory(prefix="polylambda-copy-") as folder:
        package = Path(folder, "polylambda")
        shutil.copytree(Path(polylambda.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
        # It cannot write there, and would compile what it imports at every start.
        imported = (package, package / "rapi", package / "runtime", package / "asgi")
        subprocess.run([function_python, "-m", "compileall", "-q", "-l", *imported], check=True)
        for path in (Path(folder), package, *package.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        yield folder


@pytest.fixture(scope="session")
def aws_cli() -> list[str]:
    """The words that start the AWS CLI: `[*aws_cli, "lambda", "invoke", "--endpoint-url", url, ...]`."""
    return [str(_installed(conformance_tools.AWS_CLI_PYTHON)), "-m", "awscli"]


@pytest.fixture(scope="session")
def sample_event() -> Callable[..., Any]:
    """Make an event as `sam local generate-event` does: `sample_event("sqs", "receive-message", body="hello")`."""
    return functools.partial(sample_events.sample_event, _installed(conformance_tools.SAMPLE_EVENTS))
