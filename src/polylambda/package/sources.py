"""Which files of a project belong into its function.

Left out are what git ignores, hidden files, virtual environments, tests, and what only builds and describes the project.
"""

from __future__ import annotations

import fnmatch
import os
import shutil
import subprocess
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from polylambda.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LEFT_OUT = (
    *("__pycache__", "*.pyc", ".*", "*.egg-info", "node_modules"),
    *("tests", "test_*.py", "*_test.py", "conftest.py"),
)
"""Names of files and folders, at any depth."""

LEFT_OUT_AT_TOP = (
    *("build", "dist", "pyproject.toml", "requirements*.txt", "uv.lock", "tox.ini", "noxfile.py", "setup.cfg"),
    *(
        "Makefile",
        "Dockerfile",
        "README*",
        "*.mk",
        "template.y*ml",
        "managed.y*ml",
        "samconfig.*",
        "cdk.json",
        "*.zip",
        "event.json",
        "events/*.json",
    ),
)
"""Names in the project's own folder: they build and describe it, or were built."""


def code_root(root: Path, handler: str) -> Path:
    """Return the folder whose content goes to /var/task: the project's, or its `src` when the handler's module is there.

    Raises:
        ConfigurationError: the module is in neither, or `handler` is no handler's name.
    """
    path, dot, function = handler.rpartition(".")
    if not (dot and path and function) or function == "py":
        raise ConfigurationError(
            f"{handler!r} is no handler: it takes the module and the function in it, such as app.handler"
        )
    module = path.replace(".", "/")
    for folder in (root, root / "src"):
        place = folder / module
        if place.with_name(f"{place.name}.py").is_file() or (place / "__init__.py").is_file():
            return folder
    raise ConfigurationError(
        f"there is no module {path!r} for the handler {handler!r}: neither {module}.py nor src/{module}.py is in {root}; "
        "go to the project's folder, or name its handler"
    )


def source_files(root: Path, *, exclude: Sequence[str] = (), include: Sequence[str] = ()) -> list[PurePosixPath]:
    """Return the files below `root` that belong into the function, relative to it and sorted.

    Args:
        root: folder whose content goes to /var/task.
        exclude: patterns of more that is left out, such as `data/*.csv` or `notebooks`.
        include: patterns of what is taken all the same; they win.
    """
    chosen = {path for path in _candidates(root) if not _left_out(path) and not _matches(path, exclude)}
    if include:
        chosen.update(path for path in _walk(root, hidden=True) if _matches(path, include))
    return sorted(chosen)


def copy_sources(root: Path, files: Sequence[PurePosixPath], target: Path) -> None:
    """Copy files of the project, over what dependencies of the same name may have put there.

    Raises:
        ConfigurationError: one cannot be read, or its name is taken by a folder.
    """
    for name in files:
        copy = target / name
        try:
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.unlink(missing_ok=True)  # it may be a link into uv's cache
            shutil.copy(root / name, copy)
        except OSError as error:
            raise ConfigurationError(f"{root / name} cannot be packaged: {error.strerror or error}") from error


def _left_out(path: PurePosixPath) -> bool:
    if any(fnmatch.fnmatchcase(part, pattern) for part in path.parts for pattern in LEFT_OUT):
        return True
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in LEFT_OUT_AT_TOP for name in (path.parts[0], str(path)))


def _matches(path: PurePosixPath, patterns: Sequence[str]) -> bool:
    """Tell whether a pattern means this path, a folder above it, or its name."""
    names = [path.name, *(str(each) for each in (path, *path.parents))]
    return any(fnmatch.fnmatchcase(name, pattern.rstrip("/")) for pattern in patterns for name in names)


def _candidates(root: Path) -> Iterator[PurePosixPath]:
    """Yield what git would take, where there is git; else every file."""
    listed = _known_to_git(root)
    if listed is None:
        yield from _walk(root)
        return
    for path in listed:
        whole = root / path
        if whole.is_file():
            yield path
        elif whole.is_dir():  # a submodule, or a link to a folder
            yield from (path / below for below in _walk(whole))


def _known_to_git(root: Path) -> list[PurePosixPath] | None:
    command = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)  # noqa: S603 # no shell
    except OSError:
        return None
    if done.returncode:
        return None
    return [PurePosixPath(os.fsdecode(name)) for name in done.stdout.split(b"\0") if name]


def _walk(root: Path, *, hidden: bool = False) -> Iterator[PurePosixPath]:
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if _entered(Path(folder, name), hidden))
        for name in files:
            yield PurePosixPath(Path(folder, name).relative_to(root).as_posix())


def _entered(folder: Path, hidden: bool) -> bool:
    if folder.name in (".git", "__pycache__") or (folder / "pyvenv.cfg").exists():
        return False
    return hidden or not folder.name.startswith(".")
