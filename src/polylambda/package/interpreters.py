"""The Pythons of this machine: to compile with, to bundle, and to try artifacts with."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from polylambda.package.target import machine_of
from polylambda.settings import environment

if TYPE_CHECKING:
    from collections.abc import Iterator

_TIMEOUT = 30.0
_PROBE = """
import json, platform, ssl, sys, sysconfig, zlib
print(json.dumps({
    "executable": getattr(sys, "_base_executable", sys.executable),
    "version": platform.python_version(),
    "minor": "%d.%d" % sys.version_info[:2],
    "prefix": sys.base_prefix,
    "stdlib": sysconfig.get_path("stdlib"),
    "system": sys.platform,
    "machine": platform.machine(),
    "usable": sys.implementation.name == "cpython" and not sysconfig.get_config_var("Py_GIL_DISABLED"),
}))
"""
# Where uv and pyenv keep theirs: the variable that moves the folder, where it usually is, and what is in it.
_INSTALLATIONS = (
    ("UV_PYTHON_INSTALL_DIR", "~/.local/share/uv/python", "cpython-{}.*/bin/python3"),
    ("PYENV_ROOT", "~/.pyenv", "versions/{}.*/bin/python3"),
)


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A CPython that runs here.

    Attributes:
        executable: of the installation, not of a virtual environment.
        version: such as `3.13.2`.
        minor: such as `3.13`.
        prefix: folder of the installation.
        stdlib: folder of the standard library.
        system: `linux` or another.
        machine: of the tags of wheels, such as `x86_64`.
    """

    executable: Path
    version: str
    minor: str
    prefix: Path
    stdlib: Path
    system: str
    machine: str


def find(minor: str) -> Interpreter | None:
    """Return a Python of this minor version, such as `3.13`, that runs on this machine; None when there is none."""
    return next((found for path in _candidates(minor) if (found := probe(path)) and found.minor == minor), None)


def probe(executable: Path) -> Interpreter | None:
    """Ask a Python what it is; None when it does not run, or is not one for Lambda."""
    command = [str(executable), "-I", "-c", _PROBE]
    try:
        done = subprocess.run(  # noqa: S603 # no shell, and the Python is the user's own
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_TIMEOUT, check=True
        )
        facts = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    if not facts["usable"]:
        return None
    return Interpreter(
        executable=Path(facts["executable"]),
        version=facts["version"],
        minor=facts["minor"],
        prefix=Path(facts["prefix"]),
        stdlib=Path(facts["stdlib"]),
        system=facts["system"],
        machine=machine_of(facts["machine"]),
    )


def _candidates(minor: str) -> Iterator[Path]:
    if f"{sys.version_info[0]}.{sys.version_info[1]}" == minor:
        yield Path(sys.executable)
    for folder in environment().get("PATH", os.defpath).split(os.pathsep):
        found = shutil.which(f"python{minor}", path=folder)
        if found:
            yield Path(found)
    for variable, usual, pattern in _INSTALLATIONS:
        folder = Path(environment().get(variable) or usual).expanduser()
        yield from sorted(folder.glob(pattern.format(minor)), reverse=True)
