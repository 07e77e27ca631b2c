"""Which files there are in a project, without those that git ignores; links to folders are followed, but never back."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from polylambda.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Remark = Callable[[str], None]

_IGNORE = ".gitignore"
_LIST = ("ls-files", "-z", "--others", "--exclude-standard")


def candidates(root: Path, project: Path, remark: Remark) -> Iterator[PurePosixPath]:
    """Yield the files below `root` that git would take, relative to it; where nothing is said to git, all of them.

    Args:
        root: folder with the files.
        project: the folder or one above it, whose .gitignore counts even where there is no repository.
        remark: is told of what is left out, a sentence each.

    Raises:
        ConfigurationError: what git ignores cannot be found out.
    """
    return _below(root, project, remark, (root.resolve(),))


def walk(root: Path, *, hidden: bool = False) -> Iterator[PurePosixPath]:
    """Yield all files below a folder, and the links to folders, but nothing of virtual environments."""
    for folder, folders, files in os.walk(root):
        entered = [name for name in sorted(folders) if _entered(Path(folder, name), hidden)]
        folders[:] = [name for name in entered if not Path(folder, name).is_symlink()]
        for name in (*files, *(name for name in entered if name not in folders)):
            yield PurePosixPath(Path(folder, name).relative_to(root).as_posix())


def _below(folder: Path, project: Path, remark: Remark, above: Sequence[Path]) -> Iterator[PurePosixPath]:
    for path in _listed(folder, project):
        whole = folder / path
        if whole.is_file():
            yield path
        elif whole.is_dir():  # a link, or another repository
            real = whole.resolve()
            if any(each.is_relative_to(real) for each in above):
                remark(f"{path} was left out: it is a link to a folder that it is in itself.")
            else:
                yield from (path / name for name in _below(whole, real, remark, (*above, real)))
        elif whole.is_symlink():
            remark(f"{path} was left out: it is a link to {os.readlink(whole)}, which is not there.")


def _listed(folder: Path, project: Path) -> list[PurePosixPath]:
    if _repository(folder) is not None:
        found = _ask_git(folder, (*_LIST, "--cached"))
    else:
        walked = list(walk(folder))
        if not any(path.name == _IGNORE for path in walked) and not _ignored_above(folder, project):
            return walked
        # Only git knows how to read the file, and git wants a repository: it gets an empty one.
        with tempfile.TemporaryDirectory(prefix="polylambda-package-") as empty:
            _ask_git(folder, ("init", "--quiet", "--bare", "--template=", empty))
            found = _ask_git(folder, (f"--git-dir={empty}", f"--work-tree={project.resolve()}", *_LIST))
    environments = {
        parent
        for path in found
        for parent in path.parents
        if parent.parts and (folder / parent / "pyvenv.cfg").exists()
    }
    return [path for path in found if environments.isdisjoint(path.parents)]


def _repository(folder: Path) -> Path | None:
    real = folder.resolve()
    return next((each for each in (real, *real.parents) if (each / ".git").exists()), None)


def _ignored_above(folder: Path, project: Path) -> bool:
    real, top = folder.resolve(), project.resolve()
    return any((each / _IGNORE).is_file() for each in (real, *real.parents) if each.is_relative_to(top))


def _ask_git(folder: Path, words: Sequence[str]) -> list[PurePosixPath]:
    command = ["git", "-C", str(folder), *words]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)  # noqa: S603 # no shell
    except OSError as error:
        raise ConfigurationError(
            f"which files of {folder} are ignored is known to git only, and git cannot be run ({error.strerror}): install it, "
            f"or package a copy of the project that has neither .git nor {_IGNORE}"
        ) from error
    if done.returncode:
        said = " ".join(done.stderr.decode("utf-8", "replace").split())
        raise ConfigurationError(
            f"which files of {folder} are ignored cannot be found out, for git says {said!r}: put that right, or package a "
            "copy of the project without .git"
        )
    return [PurePosixPath(os.fsdecode(name)) for name in done.stdout.split(b"\0") if name]


def _entered(folder: Path, hidden: bool) -> bool:
    if folder.name in (".git", "__pycache__") or (folder / "pyvenv.cfg").exists():
        return False
    return hidden or not folder.name.startswith(".")
