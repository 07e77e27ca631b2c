"""The note in an artifact that says what it is, so that it can be tried out without being told again."""

from __future__ import annotations

import json
import zipfile
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from polylambda.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

FILE = "polylambda-package.json"
TASK_FOLDER = "task"
"""Where an image's folder has the files of /var/task, and the note among them."""


@dataclass(frozen=True, slots=True)
class Label:
    """What an artifact is.

    Attributes:
        kind: `zip`, `bootstrap`, `image` or `layer`.
        handler: name of the handler; empty in a layer.
        python: version of Python, such as `3.13`.
        architecture: `x86_64` or `arm64`.
        wrapper: it has what takes over the environment.
    """

    kind: str
    handler: str
    python: str
    architecture: str
    wrapper: bool = True

    def write(self, folder: Path) -> None:
        """Put the note into a folder."""
        (folder / FILE).write_text(f"{json.dumps(asdict(self), indent=2)}\n", encoding="utf-8")


def read_label(folder: Path) -> Label | None:
    """Return what the note in a folder says; None when there is none: something else made the artifact.

    Raises:
        ConfigurationError: there is one that nobody can read.
    """
    path = folder / FILE
    try:
        fields: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return Label(**fields)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        raise ConfigurationError(f"{path} is not what `polylambda package` wrote: make the artifact anew") from error


def is_artifact(path: Path) -> bool:
    """Tell whether a file or a folder is what `polylambda package` made: there is the note in it.

    Raises:
        ConfigurationError: the file cannot be read.
    """
    if path.is_dir():
        image = (path / "Dockerfile").is_file() and (path / TASK_FOLDER / FILE).is_file()
        return image or (path / FILE).is_file()
    try:
        with path.open("rb") as file:
            if file.read(2) != b"PK":  # as every zip file begins, and as few others do
                return False
            with zipfile.ZipFile(file) as archive:
                return FILE in archive.namelist()
    except zipfile.BadZipFile:
        return False
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror or error}") from error
