"""Which files of a project belong into its function.

Left out are what git ignores, hidden files, virtual environments, tests, and what only builds and describes the project.
"""

from __future__ import annotations

import fnmatch
import shutil
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from polylambda.errors import ConfigurationError
from polylambda.package.candidates import candidates, walk
from polylambda.package.label import is_artifact

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from polylambda.package.candidates import Remark

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

_ENVIRONMENT = ".env*"
_SECRETS = ("*.env", "*.pem", "*.key")


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


def source_files(
    root: Path,
    *,
    exclude: Sequence[str] = (),
    include: Sequence[str] = (),
    project: Path | None = None,
    remark: Remark = lambda _: None,
) -> list[PurePosixPath]:
    """Return the files below `root` that belong into the function, relative to it and sorted.

    Args:
        root: folder whose content goes to /var/task.
        exclude: patterns of more that is left out, such as `data/*.csv` or `notebooks`.
        include: patterns of what is taken all the same; they win.
        project: the project's folder, when `root` is one in it: its .gitignore counts.
        remark: is told what the user should know, a sentence each.

    Raises:
        ConfigurationError: what git ignores cannot be found out.
    """
    there = candidates(root, project or root, remark)
    chosen = {path for path in there if not _left_out(path) and not _matches(path, exclude)}
    chosen = _without_artifacts(root, chosen, remark)
    if include:
        chosen.update(path for path in walk(root, hidden=True) if _included(path, include) and (root / path).is_file())
    for path in sorted(chosen):
        if not _included(path, include) and any(fnmatch.fnmatchcase(path.name, pattern) for pattern in _SECRETS):
            remark(f"{path} is in it and looks like a secret: leave it out with --exclude {path} if it is one.")
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
    return any(_leads(path.parts, PurePosixPath(pattern).parts) for pattern in LEFT_OUT_AT_TOP)


def _included(path: PurePosixPath, patterns: Sequence[str]) -> bool:
    if fnmatch.fnmatchcase(path.name, _ENVIRONMENT):  # never in passing: it has passwords
        return any(PurePosixPath(pattern) in (path, PurePosixPath(path.name)) for pattern in patterns)
    return _matches(path, patterns)


def _matches(path: PurePosixPath, patterns: Sequence[str]) -> bool:
    """Tell whether a pattern means this path, a folder above it, or its name."""
    return any(
        fnmatch.fnmatchcase(path.name, pattern) or _leads(path.parts, PurePosixPath(pattern).parts)
        for pattern in patterns
    )


def _leads(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    """Tell whether a path begins as a pattern says, name by name; `**` stands for any number of them."""
    if not pattern:
        return True
    if pattern[0] == "**":
        return any(_leads(parts[skipped:], pattern[1:]) for skipped in range(len(parts)))
    return bool(parts) and fnmatch.fnmatchcase(parts[0], pattern[0]) and _leads(parts[1:], pattern[1:])


def _without_artifacts(root: Path, paths: set[PurePosixPath], remark: Remark) -> set[PurePosixPath]:
    """Leave out what was made of the project before: it would grow with every build."""
    folders = {folder for path in paths for folder in path.parents if folder.parts}
    made = {path for path in folders | paths if is_artifact(root / path)}
    for path in sorted(made):
        if made.isdisjoint(path.parents):
            remark(f"{path} was left out: `polylambda package` made it.")
    return {path for path in paths if path not in made and made.isdisjoint(path.parents)}
