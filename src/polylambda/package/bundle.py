"""An interpreter for an environment that has none: one of uv's, or this machine's, with the libraries that it links to.

uv's Pythons are python-build-standalone's, which need no more than an old C library. For another architecture than this
machine's they are the only ones.
"""

from __future__ import annotations

import platform
import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from polylambda.errors import ConfigurationError
from polylambda.package import compiling, dependencies, interpreters, libraries
from polylambda.package.scripts import PYTHON_FOLDER
from polylambda.package.target import machine_of

if TYPE_CHECKING:
    from polylambda.package.target import Target

# Of the standard library: for people at a screen, for installing, for Python's own tests.
_LEFT_OUT = (
    *("test", "tests", "idlelib", "idle_test", "tkinter", "turtle.py", "turtledemo", "ensurepip", "lib2to3", "venv"),
    *("pydoc_data", "site-packages", "dist-packages", "config-*", "__pycache__", "*.a", "*.o", "EXTERNALLY-MANAGED"),
    *("_test*.so", "_ctypes_test*.so", "_xx*.so", "xx*.so", "_tkinter*.so"),
    *("_curses*.so", "readline*.so", "_dbm*.so", "_gdbm*.so", "nis*.so", "ossaudiodev*.so"),
)
_OWN_LIBRARY = re.compile(rb"libpython3[.\d]*\.so[.\d]*")
_TASK_FOLDER = f"/var/task/{PYTHON_FOLDER}"


def add_interpreter(target: Target, folder: Path, named: Path | None = None) -> list[str]:
    """Put an interpreter into `folder`, so that it is a PYTHONHOME; return what the user should know.

    Args:
        target: which Python, and for which architecture.
        folder: it is made.
        named: a Python of this machine, which then is the one.

    Raises:
        ConfigurationError: there is none to be had for the target.
    """
    executable, stdlib = _installation(target, named)
    program = folder / "bin" / f"python{target.python}"
    library = folder / "lib" / f"python{target.python}"
    program.parent.mkdir(parents=True)
    shutil.copy(executable, program)
    shutil.copytree(stdlib, library, ignore=shutil.ignore_patterns(*_LEFT_OUT), ignore_dangling_symlinks=True)
    notes = [f"The bundled Python is {executable}."]
    notes += libraries.gather(executable, library / "lib-dynload", folder / "lib", target.glibc)
    _add_own_library(executable, folder / "lib")
    if (python := interpreters.find(target.python)) is not None:
        compiling.compile_all(python, folder, shown_as=_TASK_FOLDER)
    else:
        notes.append(
            f"Its modules have no byte code, for this machine has no Python {target.python}: it starts slowly."
        )
    return notes


def _add_own_library(executable: Path, folder: Path) -> None:
    """Copy the interpreter's own library, if it has one: for another architecture nobody here can ask the linker."""
    for name in {match.decode() for match in _OWN_LIBRARY.findall(executable.read_bytes())}:
        library = executable.parent.parent / "lib" / name
        if library.is_file() and not (folder / name).exists():
            shutil.copy(library, folder / name)


def _installation(target: Target, named: Path | None) -> tuple[Path, Path]:
    """Return a Python's executable, and the folder of its standard library."""
    if named is not None:
        return _of_this_machine(target, named)
    try:
        uv = dependencies.find_uv()
        found = _of_uv(uv, target) or _fetched_by_uv(uv, target)
    except ConfigurationError:
        found = None
    if found is not None:
        return found / "bin" / f"python{target.python}", found / "lib" / f"python{target.python}"
    return _of_this_machine(target, None)


def _of_uv(uv: str, target: Target) -> Path | None:
    """Return the newest of uv's Pythons for the target; None when there is none."""
    done = dependencies.run_uv(uv, "python", "dir")
    if done.returncode:
        return None
    releases = re.compile(rf"cpython-{re.escape(target.python)}\.(\d+)-linux-{target.machine}-gnu")
    folders = Path(done.stdout.strip()).glob("cpython-*")
    found = {int(match[1]): folder for folder in folders if (match := releases.fullmatch(folder.name))}
    return found[max(found)] if found else None


def _fetched_by_uv(uv: str, target: Target) -> Path | None:
    key = f"cpython-{target.python}-linux-{target.machine}-gnu"
    done = dependencies.run_uv(uv, "python", "install", "--no-bin", "--no-progress", key)
    return _of_uv(uv, target) if done.returncode == 0 else None


def _of_this_machine(target: Target, named: Path | None) -> tuple[Path, Path]:
    key = f"cpython-{target.python}-linux-{target.machine}-gnu"
    way_out = f"fetch one where there is a network (uv python install {key}), or make a zip for {target.runtime}"
    machine = machine_of(platform.machine())
    if sys.platform != "linux" or machine != target.machine:
        own = f"{sys.platform} on {machine}"
        raise ConfigurationError(
            f"there is no {target} to bundle: uv could get none, and this machine is {own}: {way_out}"
        )
    found = interpreters.find(target.python) if named is None else interpreters.probe(named)
    if found is None:
        which = (
            f"{named} is no CPython that runs"
            if named
            else f"uv could get none, and this machine has no Python {target.python}"
        )
        raise ConfigurationError(f"there is no {target} to bundle: {which}: {way_out}")
    if found.minor != target.python:
        raise ConfigurationError(f"{named} is Python {found.version}: say --python {found.minor}, or name another")
    return found.executable.resolve(), found.stdlib
