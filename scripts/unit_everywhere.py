"""Run the unit tests on every other CPython of the machine, each in an environment of its own below `.venv-unit`.

The Python of `.venv` is left out: the whole suite runs on that one. Arguments are passed on to pytest.
"""

from __future__ import annotations

import concurrent.futures
import os
import subprocess
import sys
from pathlib import Path

from scripts import environments, interpreters
from scripts.environments import ROOT, CommandFailed, say
from scripts.interpreters import Interpreter

FOLDER = ROOT / ".venv-unit"


def main(arguments: list[str]) -> int:
    """Run them one Python after the other; returns the first exit code that is not 0."""
    own = "{}.{}".format(*sys.version_info)
    found = interpreters.newest_of_each_minor(interpreters.find())
    others = {minor: interpreter for minor, interpreter in found.items() if minor != own}
    if not others:
        say(f"unit tests: Python {own} is the only one here from {'{}.{}'.format(*interpreters.OLDEST)} on")
        return 0
    try:
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            made = dict(zip(others, pool.map(_environment, others.values()), strict=True))
    except CommandFailed as error:
        sys.exit(f"error: {error}")
    for minor, environment in made.items():
        say(f"unit tests on Python {minor}")
        pytest = [
            environments.python_of(environment),
            "-m",
            "pytest",
            "--quiet",
            "--numprocesses",
            "auto",
            "tests/unit",
        ]
        code = subprocess.run([*pytest, *arguments], cwd=ROOT, check=False).returncode
        if code:
            return code
    return 0


def _environment(interpreter: Interpreter) -> Path:
    folder = FOLDER / interpreter.minor
    requirements = ["--editable", ".[all]", "--group", "unit"]
    environments.ensure(folder, interpreter.executable, requirements, "installing what the unit tests need (once)")
    return folder


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
