"""Results that are kept from run to run, for as long as nothing that they depend on has changed.

A whole result holds while every file and folder that it was made from is the same; what ruff says of a file, while the file
is. Everything else is too quick to be worth keeping.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from polylambda import __version__, check
from polylambda.check.static.project import digest_of, digest_of_names, listing

if TYPE_CHECKING:
    from collections.abc import Mapping

_MOST_KEPT = 5000  # files that ruff was asked about


class Cache:
    """A folder of results.

    Attributes:
        folder: made when something is kept.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._versions = _versions()

    def result(self, *question: str) -> Any:
        """Return the result that was kept for a question, if it still holds; None if not."""
        kept = self._load(self._name(question))
        read: object = kept.get("read")
        if not isinstance(read, dict) or not all(_is_same(str(name), each) for name, each in kept["read"].items()):
            return None
        return kept.get("result")

    def keep_result(self, result: object, read: Mapping[str, str], *question: str) -> None:
        """Keep a result, and the digests of what it was made from."""
        self._store(self._name(question), {"read": dict(read), "result": result})

    def linted(self, digests: Mapping[Path, str]) -> dict[Path, list[list[Any]]]:
        """Return what is kept of ruff's diagnoses, for files by their digests."""
        kept = self._load("ruff.json").get(self._versions, {})
        return {file: kept[digest] for file, digest in digests.items() if digest in kept}

    def keep_linted(self, diagnoses: Mapping[str, list[list[Any]]]) -> None:
        """Keep ruff's diagnoses, by the digests of the files."""
        kept = {**self._load("ruff.json").get(self._versions, {}), **diagnoses}
        self._store("ruff.json", {self._versions: dict(list(kept.items())[-_MOST_KEPT:])})

    def _name(self, question: tuple[str, ...]) -> str:
        return f"{digest_of(json.dumps([self._versions, *question]).encode())}.json"

    def _load(self, name: str) -> dict[str, Any]:
        try:
            loaded: object = json.loads((self.folder / name).read_bytes())
        except (OSError, ValueError):
            return {}
        return cast("dict[str, Any]", loaded) if isinstance(loaded, dict) else {}

    def _store(self, name: str, content: object) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            handle, path = tempfile.mkstemp(dir=self.folder)
            with open(handle, "w", encoding="utf-8") as file:
                json.dump(content, file, separators=(",", ":"))
            Path(path).replace(self.folder / name)
        except OSError:
            pass  # a cache that cannot be written costs time, nothing else


def _is_same(name: str, digest: str) -> bool:
    if name.endswith("/"):
        return digest_of_names(listing(Path(name))) == digest
    try:
        return digest_of(Path(name).read_bytes()) == digest
    except OSError:
        return False


def _versions() -> str:
    """What a result depends on besides the source: the versions, and the checker's own files while it is developed."""
    own = hashlib.blake2b(digest_size=8)
    for folder in check.__path__:
        for place, _, names in os.walk(folder):
            for name in sorted(names):
                if name.endswith(".py"):
                    status = os.stat(f"{place}/{name}")  # a Path for each would take longer than the question
                    own.update(f"{name} {status.st_size} {status.st_mtime_ns}".encode())
    return f"{__version__} {sys.version} {metadata.version('ruff')} {own.hexdigest()}"
