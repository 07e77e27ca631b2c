"""What wheels bring along that no function needs, and what would make two builds differ."""

from __future__ import annotations

import csv
import io
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

JUNK_FOLDERS = frozenset({"__pycache__", "tests"})
JUNK_SUFFIXES = frozenset({".pyc", ".pyi"})
# They tell where and how a wheel was installed: on this machine, into a temporary folder.
_TRACES = frozenset({"INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json"})


def prune(folder: Path) -> None:
    """Remove tests, stubs and byte code of installed wheels, and the scripts of their command lines."""
    for path in sorted(folder.rglob("*")):
        if path.is_dir():
            if path.name in JUNK_FOLDERS:
                shutil.rmtree(path)
        elif path.suffix in JUNK_SUFFIXES or path.name == "py.typed":
            path.unlink(missing_ok=True)
    _remove_scripts(folder / "bin")


def remove_traces(folder: Path) -> None:
    """Remove what differs between two installations of the same wheels, and bring their lists of files up to date."""
    for info in folder.glob("*.dist-info"):
        for name in _TRACES:
            (info / name).unlink(missing_ok=True)
        record = info / "RECORD"
        if record.is_file():
            rows = sorted(row for row in csv.reader(io.StringIO(record.read_text())) if row and _there(folder, row[0]))
            record.unlink()  # it may be a link into uv's cache
            with record.open("w", newline="") as file:
                csv.writer(file, lineterminator="\n").writerows(rows)


def _there(folder: Path, name: str) -> bool:
    return not name.startswith("..") and (folder / name).is_file()


def _remove_scripts(folder: Path) -> None:
    """Remove what starts a Python of this machine; real programs stay."""
    if not folder.is_dir():
        return
    for script in folder.iterdir():
        with script.open("rb") as file:
            if file.read(2) == b"#!":
                script.unlink()
                continue
    if not any(folder.iterdir()):
        folder.rmdir()
