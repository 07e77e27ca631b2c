"""The CPythons of this machine that the tests can run on.

Looks on PATH, in the usual folders, and where pyenv, uv and GitHub's runners keep theirs. Every candidate is asked what it
is, since a name proves nothing: pyenv's shims are on PATH for versions that nobody switched on.
"""

from __future__ import annotations

import concurrent.futures
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

OLDEST = (3, 11)

_NAME = re.compile(r"python3(\.\d+)?")
_FOLDERS = ("/usr/bin", "/usr/local/bin", "/opt/homebrew/bin")
_INSTALLATIONS = (  # (environment variable that moves the root, usual root, pattern below it)
    ("PYENV_ROOT", "~/.pyenv", "versions/*/bin/python3"),
    ("UV_PYTHON_INSTALL_DIR", "~/.local/share/uv/python", "*/bin/python3"),
    ("AGENT_TOOLSDIRECTORY", "/opt/hostedtoolcache", "Python/*/*/bin/python3"),
    ("", "/Library/Frameworks/Python.framework", "Versions/*/bin/python3"),
)
# `ssl` and `zlib`: pyenv builds a Python without them when their headers are missing, and pip cannot work on it.
_PROBE = """
import json, os, platform, ssl, sys, sysconfig, venv, zlib
print(json.dumps({
    "executable": getattr(sys, "_base_executable", sys.executable),
    "version": sys.version_info[:3],
    "implementation": sys.implementation.name,
    "final": sys.version_info.releaselevel == "final",
    "free_threaded": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
    "library": os.path.dirname(os.__file__),
}))
"""


@dataclass(frozen=True)
class Interpreter:
    """A CPython that runs, is no prerelease, and can make virtual environments."""

    executable: Path
    version: tuple[int, int, int]
    stdlib: Path

    @property
    def minor(self) -> str:
        """The version as its folders are named, for example `3.12`."""
        return "{}.{}".format(*self.version)

    @property
    def readable_by_others(self) -> bool:
        """Whether another user could run it: not so for a Python below somebody's home."""
        return readable_by_others(self.executable.resolve()) and readable_by_others(self.stdlib)


def readable_by_others(path: Path) -> bool:
    """Tell whether every user may read `path` and pass through the folders above it."""
    if not path.exists() or not path.stat().st_mode & 0o004:
        return False
    folders = path.parents if path.is_file() else (path, *path.parents)
    return all(folder.stat().st_mode & 0o001 for folder in folders)


def probe(executable: str | Path) -> Interpreter | None:
    """Ask a Python what it is; None when it does not run or the tests cannot use it."""
    try:
        answer = subprocess.run(
            [executable, "-I", "-c", _PROBE], stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=True
        )
        facts = json.loads(answer.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    major, minor, micro = facts["version"]
    if facts["implementation"] != "cpython" or not facts["final"] or facts["free_threaded"] or (major, minor) < OLDEST:
        return None
    return Interpreter(Path(facts["executable"]), (major, minor, micro), Path(facts["library"]))


def find() -> list[Interpreter]:
    """Find every usable CPython of the machine, newest first."""
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        found = {interpreter for interpreter in pool.map(probe, sorted(set(_candidates()))) if interpreter}
    return sorted(found, key=lambda interpreter: (interpreter.version, str(interpreter.executable)), reverse=True)


def newest_of_each_minor(interpreters: list[Interpreter]) -> dict[str, Interpreter]:
    """Keep one interpreter for each of 3.11, 3.12, ..., the newest patch release."""
    chosen: dict[str, Interpreter] = {}
    for interpreter in sorted(interpreters, key=lambda interpreter: interpreter.version):
        chosen[interpreter.minor] = interpreter
    return chosen


def _candidates() -> Iterator[Path]:
    yield Path(sys.executable)
    for folder in (*os.environ.get("PATH", "").split(os.pathsep), *_FOLDERS):
        if folder and Path(folder).is_dir():
            yield from (path for path in Path(folder).iterdir() if _NAME.fullmatch(path.name))
    for variable, usual, pattern in _INSTALLATIONS:
        yield from Path(os.environ.get(variable) or usual).expanduser().glob(pattern)


if __name__ == "__main__":
    for interpreter in find():
        print("{}.{}.{}".format(*interpreter.version), interpreter.executable)
