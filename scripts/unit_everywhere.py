"""Run the unit tests on every other CPython of the machine, each in an environment of its own below `.venv-unit`.

The Python of `.venv` is left out: the whole suite runs on that one, and with more examples of each property. Arguments are
passed on to pytest.
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
    """Run them on all these Pythons at a time; returns the first exit code that is not 0."""
    own = "{}.{}".format(*sys.version_info)
    found = interpreters.newest_of_each_minor(interpreters.find())
    others = {minor: interpreter for minor, interpreter in found.items() if minor != own}
    if not others:
        say(f"unit tests: Python {own} is the only one here from {'{}.{}'.format(*interpreters.OLDEST)} on")
        return 0
    with concurrent.futures.ThreadPoolExecutor(max(len(others), os.cpu_count() or 1)) as pool:
        try:
            made = dict(zip(others, pool.map(_environment, others.values()), strict=True))
        except CommandFailed as error:
            sys.exit(f"error: {error}")
        say(f"unit tests on Python {', '.join(made)}")
        # Every worker collects all tests, which takes seconds; and these tests wait for nothing.
        workers = max(1, (os.cpu_count() or 1) // len(made))
        running = {minor: pool.submit(_run, each, workers, arguments) for minor, each in made.items()}
        codes: list[int] = []
        for minor, run in running.items():
            done = run.result()
            say(f"Python {minor}")
            print(done.stdout, end="", flush=True)
            codes.append(done.returncode)
    return next(filter(None, codes), 0)


def _run(environment: Path, workers: int, arguments: list[str]) -> subprocess.CompletedProcess[str]:
    command = [environments.python_of(environment), "-m", "pytest", "--quiet", "tests/unit"]
    command += ["--hypothesis-profile", "elsewhere", "--numprocesses", str(workers if workers > 1 else 0)]
    return subprocess.run(
        [*command, *arguments], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )


def _environment(interpreter: Interpreter) -> Path:
    folder = FOLDER / interpreter.minor
    requirements = ["--no-compile", "--editable", ".[all]", "--group", "unit"]
    environments.ensure(folder, interpreter.executable, requirements, "installing what the unit tests need (once)")
    return folder


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
