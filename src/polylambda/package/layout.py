"""An artifact laid out as Lambda does it: the code in a task root, the layers in another folder, everything read-only."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from polylambda.errors import ConfigurationError
from polylambda.package import archive, scripts
from polylambda.package.label import TASK_FOLDER, Label, read_label

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_READ_ONLY = 0o555


@dataclass(frozen=True, slots=True)
class Laid:
    """An artifact that lies where it can be run.

    Attributes:
        task: stands for /var/task.
        opt: stands for /opt.
        tmp: stands for /tmp, the one place to write to.
        label: what the artifact says of itself; None: something else made it.
    """

    task: Path
    opt: Path
    tmp: Path
    label: Label | None

    @property
    def bootstrap(self) -> Path | None:
        """What an environment without a runtime of its own starts."""
        return self._program(scripts.BOOTSTRAP)

    @property
    def wrapper(self) -> Path | None:
        """What takes over a managed Python runtime."""
        return self._program(scripts.WRAPPER)

    def _program(self, name: str) -> Path | None:
        return next((path for folder in (self.task, self.opt) if (path := folder / name).is_file()), None)

    def state(self) -> dict[str, tuple[int, int]]:
        """Return what there is, to see later what was written: sizes and times of the files by their names."""
        found: dict[str, tuple[int, int]] = {}
        for root in (self.task, self.opt):
            for path in root.rglob("*"):
                if path.is_file():
                    status = path.stat()
                    found[str(path.relative_to(root.parent))] = status.st_size, status.st_mtime_ns
        return found


def lay_out(artifact: Path, layers: Sequence[Path], folder: Path) -> Laid:
    """Lay an artifact out below `folder`.

    Args:
        artifact: a zip file, the folder of an image, or a folder with what is to be /var/task.
        layers: zip files for /opt; a later one wins.
        folder: an empty one.

    Raises:
        ConfigurationError: there is no such artifact, it cannot be opened, or it is a layer.
    """
    task, opt, tmp = folder / "var" / "task", folder / "opt", folder / "tmp"
    for each in (task, opt, tmp):
        each.mkdir(parents=True)
    if artifact.is_dir():
        code = artifact / TASK_FOLDER if (artifact / "Dockerfile").is_file() else artifact
        shutil.copytree(code, task, dirs_exist_ok=True)
    elif artifact.is_file():
        archive.unpack(artifact, task)
    else:
        raise ConfigurationError(f"there is no {artifact}: make it with `polylambda package app.handler -o {artifact}`")
    label = read_label(task)
    if label is not None and label.kind == "layer":
        raise ConfigurationError(
            f"{artifact} is a layer, which runs with a function only: check that, with --layer {artifact}"
        )
    for layer in layers:
        archive.unpack(layer, opt)
    for root in (task, opt):
        for path in (root, *root.rglob("*")):
            if path.is_dir():
                path.chmod(_READ_ONLY)
    return Laid(task, opt, tmp, label)


def give_back(folder: Path) -> None:
    """Make what was laid out below `folder` removable again."""
    for path in (folder, *folder.rglob("*")):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o755)
