"""The folder in which an artifact is put together: its files in order, and what they weigh."""

from __future__ import annotations

import csv
import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of an artifact.

    Attributes:
        name: its path inside, with slashes.
        path: where it is now.
        size: bytes.
        executable: it may be run.
    """

    name: str
    path: Path
    size: int
    executable: bool


@dataclass(frozen=True, slots=True)
class Weight:
    """A part of an artifact, and the bytes that it has unpacked."""

    name: str
    size: int


def entries_of(folder: Path) -> list[Entry]:
    """Return all files below `folder`, in an order that is the same everywhere."""
    found: list[Entry] = []
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent, name)
            status = path.stat()
            relative = path.relative_to(folder).as_posix()
            found.append(Entry(relative, path, status.st_size, bool(status.st_mode & 0o100)))
    return sorted(found, key=lambda entry: entry.name)


def weights_of(
    folder: Path, entries: Sequence[Entry], *, rest: str, packages: str = "", parts: Mapping[str, str] | None = None
) -> list[Weight]:
    """Return what each distribution weighs, heaviest first; what belongs to none is `rest`.

    Args:
        folder: of the artifact.
        entries: its files.
        rest: name for what no distribution has.
        packages: folder in it where distributions are; the whole when empty.
        parts: folders in it that count as one, and their names.
    """
    owners: dict[str, str] = {}
    base = folder / packages
    for record in base.glob("*.dist-info/RECORD"):
        owner = record.parent.name.removesuffix(".dist-info").replace("-", " ")
        for row in csv.reader(io.StringIO(record.read_text())):
            owners[(base / row[0]).relative_to(folder).as_posix()] = owner
    sizes: dict[str, int] = {}
    for entry in entries:
        part = (parts or {}).get(entry.name.partition("/")[0])
        owner = part or owners.get(_source_of(entry.name)) or rest
        sizes[owner] = sizes.get(owner, 0) + entry.size
    return sorted((Weight(name, size) for name, size in sizes.items()), key=lambda weight: (-weight.size, weight.name))


def files_of(entries: Sequence[Entry], names: Iterable[str]) -> list[Weight]:
    """Return what single files weigh, heaviest first."""
    wanted = set(names)
    sizes = (Weight(entry.name, entry.size) for entry in entries if entry.name in wanted)
    return sorted(sizes, key=lambda weight: (-weight.size, weight.name))


def _source_of(name: str) -> str:
    """Return the module of a file of byte code; else the file itself."""
    folder, _, file = name.rpartition("__pycache__/")
    return f"{folder}{file.partition('.')[0]}.py" if file.endswith(".pyc") and "__pycache__/" in name else name
