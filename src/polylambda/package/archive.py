"""Writing an artifact so that the same files give the same bytes, and opening one again."""

from __future__ import annotations

import shutil
import stat
import tempfile
import zipfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from polylambda.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polylambda.package.stage import Entry

TIME = (1980, 1, 1, 0, 0, 0)
"""When every file in a zip was changed: the earliest time that the format has."""

_LEVEL = 6
_PROGRAM = 0o755
_DATA = 0o644


def write_zip(entries: Sequence[Entry], out: Path) -> int:
    """Write a zip file, in place of what was there; return its size in bytes.

    Raises:
        ConfigurationError: it cannot be written there.
    """
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        # Beside its place, and then moved: nobody ever sees half of it, and a link to it keeps what it had.
        with tempfile.NamedTemporaryFile(dir=out.parent, prefix=f".{out.name}-", delete=False) as file:
            beside = Path(file.name)
            try:
                with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as archive:
                    for entry in entries:
                        archive.writestr(_info(entry), entry.path.read_bytes())
                beside.chmod(_DATA)
                beside.replace(out)
            except BaseException:
                beside.unlink(missing_ok=True)
                raise
        return out.stat().st_size
    except OSError as error:
        raise ConfigurationError(f"{out} cannot be written: {error.strerror or error}") from error


def write_folder(entries: Sequence[Entry], folder: Path) -> None:
    """Write the files into a folder, in place of what was there.

    Raises:
        ConfigurationError: it cannot be written there.
    """
    try:
        if folder.exists():
            shutil.rmtree(folder)
        for entry in entries:
            path = folder / entry.name
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(entry.path, path)
            path.chmod(_PROGRAM if entry.executable else _DATA)
    except OSError as error:
        raise ConfigurationError(f"{folder} cannot be written: {error.strerror or error}") from error


def write_text(path: Path, text: str) -> None:
    """Write a text file.

    Raises:
        ConfigurationError: it cannot be written there.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error.strerror or error}") from error


def unpack(artifact: Path, folder: Path) -> None:
    """Unpack a zip file as Lambda does, with the modes that it says.

    Raises:
        ConfigurationError: it is no zip file, or holds names that lead out of the folder.
    """
    try:
        with zipfile.ZipFile(artifact) as archive:
            for info in archive.infolist():
                name = PurePosixPath(info.filename)
                if name.is_absolute() or ".." in name.parts:
                    raise ConfigurationError(f"{artifact} holds {info.filename!r}, which leads out of it: make it anew")
                path = Path(archive.extract(info, folder))
                if mode := (info.external_attr >> 16) & 0o777:
                    path.chmod(mode)
    except (OSError, zipfile.BadZipFile) as error:
        raise ConfigurationError(f"{artifact} cannot be unpacked: {error}") from error


def _info(entry: Entry) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(entry.name, TIME)
    info.create_system = 3  # Unix: what follows are its modes
    info.external_attr = (stat.S_IFREG | (_PROGRAM if entry.executable else _DATA)) << 16
    info.compress_type = zipfile.ZIP_DEFLATED
    return info
