"""Where an artifact may be written: nothing is replaced but what `polylambda package` made itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polylambda.errors import ConfigurationError
from polylambda.package.kind import Kind
from polylambda.package.label import is_artifact

if TYPE_CHECKING:
    from pathlib import Path


def check_output(kind: Kind, out: Path, project: Path) -> None:
    """Refuse a place where something else is.

    Args:
        kind: of the artifact: an image is a folder, all others are files.
        out: where it shall go.
        project: the project's folder, which is never replaced.

    Raises:
        ConfigurationError: there is something that would be lost.
    """
    elsewhere = f"name another place, such as -o build/{kind.usual_name}"
    if not out.exists():
        return
    if out.is_dir() != (kind is Kind.IMAGE):
        what = "folder" if out.is_dir() else "file"
        needed = "folder" if kind is Kind.IMAGE else "file"
        raise ConfigurationError(f"-o is {str(out)!r}, which is a {what}, and {kind} makes a {needed}: {elsewhere}")
    if project.resolve().is_relative_to(out.resolve()):
        raise ConfigurationError(f"-o is {str(out)!r}, the folder with the project in it: {elsewhere}")
    empty = not any(out.iterdir()) if out.is_dir() else not out.stat().st_size
    if not empty and not is_artifact(out):
        raise ConfigurationError(
            f"-o is {str(out)!r}, where there is something that `polylambda package` did not make: remove it, or {elsewhere}"
        )
