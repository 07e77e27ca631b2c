"""Virtual environments that are made once and kept until something they were made from changes.

`python -m scripts.environments` makes `.venv`, in which everything but the unit tests on other Pythons runs. Its uv fills it,
and all other environments, whose Pythons need no pip (nor Debian's python3-venv package) of their own.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
MAIN = ROOT / ".venv"
UV = "uv>=0.13"

_STAMP = "made-from.json"


class CommandFailed(Exception):
    """A program that had to succeed did not; the message holds what it printed."""


def say(line: str) -> None:
    """Print one line of progress at once, also into a pipe."""
    print(f"==> {line}", flush=True)


def run(command: Sequence[str | Path]) -> None:
    """Run a program in the checkout, quietly; raises CommandFailed with its output when it fails."""
    done = subprocess.run(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False
    )
    if done.returncode:
        printed = (done.stdout + done.stderr).strip()
        raise CommandFailed(f"{' '.join(map(str, command))} ended with code {done.returncode}:\n{printed}")


def python_of(environment: Path) -> Path:
    """Return the Python of a virtual environment."""
    return environment / "bin" / "python"


def pip(*arguments: str | Path) -> None:
    """Run the pip of `.venv`; raises CommandFailed."""
    run([python_of(MAIN), "-m", "pip", "--disable-pip-version-check", *arguments])


def ensure(environment: Path, interpreter: Path, requirements: Sequence[str], purpose: str) -> None:
    """Make a virtual environment of `interpreter` with `requirements` (arguments of `uv pip install`), or find it made.

    It is made anew when the interpreter, the requirements, or what pyproject.toml says about dependencies has changed.
    Raises CommandFailed.
    """
    stamp = environment / _STAMP
    wanted = json.dumps([str(interpreter), _version_of(interpreter), list(requirements), _dependencies_digest()])
    if stamp.exists() and stamp.read_text() == wanted:
        return
    say(f"{_short(environment)}: {purpose}, on {interpreter}")
    if environment == MAIN:
        run([interpreter, "-m", "venv", "--clear", environment])
        pip("install", UV)
    else:
        run([interpreter, "-m", "venv", "--clear", "--without-pip", environment])
    into = ["--python", python_of(environment), "--compile-bytecode"]
    run([python_of(MAIN), "-m", "uv", "pip", "install", "--quiet", *into, *requirements])
    stamp.write_text(wanted)


def interpreter_of(environment: Path) -> Path | None:
    """Return what an environment was made from, when both it and its interpreter still exist."""
    stamp = environment / _STAMP
    interpreter = Path(json.loads(stamp.read_text())[0]) if stamp.exists() else None
    return interpreter if interpreter and interpreter.exists() else None


def dependencies(*extras: str) -> list[str]:
    """Return what pyproject.toml says that polylambda needs, with the given extras."""
    project = _pyproject()["project"]
    return [*project["dependencies"], *(need for extra in extras for need in project["optional-dependencies"][extra])]


def _pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def _dependencies_digest() -> str:
    """Identify what an environment is filled from: a new lint rule must not rebuild them all."""
    pyproject = _pyproject()
    parts = [pyproject[section] for section in ("build-system", "project", "dependency-groups")]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _version_of(interpreter: Path) -> str:
    code = "import sys; print(sys.version)"
    return subprocess.run([interpreter, "-I", "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def _short(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


if __name__ == "__main__":
    try:
        ensure(
            MAIN,
            Path(sys.executable),
            ["--editable", ".[all]", "--group", "dev"],
            "installing polylambda and its tools (once)",
        )
    except CommandFailed as error:
        sys.exit(f"error: {error}")
