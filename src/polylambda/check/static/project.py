"""The project's own source: which file a name is in, and what the file says.

Nothing is imported. What is read is remembered, folders too, so that a later run can see that nothing changed.
"""

from __future__ import annotations

import ast
import hashlib
import os
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from polylambda.check.static.frame import Scope

_LARGEST = 1_000_000  # bytes; what is larger was generated
_NOT_SOURCE = frozenset({"__pycache__", "node_modules", "site-packages", "cdk.out", "build", "dist"})

_OURS = "polylambda"  # known by facts, also where its source is at hand
_TESTS = frozenset({"test", "tests"})


@dataclass(eq=False, repr=False, slots=True)
class Module:
    """A module of the project.

    Attributes:
        name: dotted.
        path: of its file, relative to the root of the project where it is below it; of the folder, for a namespace package.
        folder: where its top-level package is.
        body: what it says.
        package: it has modules below it.
        scope: its names; None until it is imported.
        done: its import has finished.
    """

    name: str
    path: str
    folder: Path
    body: list[ast.stmt] = field(default_factory=list[ast.stmt])
    package: Path | None = None
    scope: Scope | None = None
    done: bool = False


class Project:
    """Where the source is.

    Attributes:
        root: paths are told relative to it.
        problems: files that could not be read, one sentence each.
        read: what was read: the digest of each file, and of the names in each folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.problems: list[str] = []
        self.read: dict[str, str] = {}
        self.owned: set[str] = set()
        self._modules: dict[Path, Module | None] = {}
        self._listings: dict[Path, frozenset[str]] = {}
        self._installed: dict[Path, frozenset[str]] = {}

    def forget_values(self) -> None:
        """Forget what modules hold, not what they say."""
        for module in self._modules.values():
            if module is not None:
                module.scope, module.done = None, False

    def paths(self) -> list[str]:
        """Return the paths of the files that were read."""
        return sorted(self.shown(Path(name)) for name in self.read if not name.endswith("/"))

    def file_of(self, path: str) -> Path:
        """Return the file that is told as `path`."""
        return self.root / path

    def body_of(self, path: str) -> list[ast.stmt]:
        """Return what the file says that is told as `path`."""
        module = self._modules.get(self.file_of(path))
        return module.body if module is not None else []

    def module_at(self, file: Path) -> Module | None:
        """Return the module that a file is, or None when it cannot be read (which is noted)."""
        file = Path(os.path.abspath(file))
        folder = file.parent
        parts = [] if file.name == "__init__.py" else [file.stem]
        while "__init__.py" in self.names_in(folder) and folder.parent != folder:
            parts.insert(0, folder.name)
            folder = folder.parent
        self.owned.add(parts[0] if parts else "")
        return self._load(file, ".".join(parts), folder)

    def why_not(self, file: Path) -> str:
        """Return why a file cannot be read, as a problem that was noted."""
        shown = self.shown(Path(os.path.abspath(file)))
        said = [each for each in self.problems if each.startswith(f"{shown} ")]
        return said[-1] if said else f"{shown} cannot be read"

    def files_below(self, folder: Path) -> Iterator[Path]:
        """Yield the source files below a folder, without virtual environments, hidden folders, tests and what was built."""
        seen: set[str] = set()
        todo = [folder]
        while todo:
            current = todo.pop()
            real = os.path.realpath(current)
            if real in seen:
                continue
            seen.add(real)
            names = self.names_in(current)
            if "pyvenv.cfg" in names:
                continue
            todo += [
                current / name
                for name in sorted(names, reverse=True)
                if "." not in name and name not in _NOT_SOURCE | _TESTS and (current / name).is_dir()
            ]
            installed = self._installed_in(current)
            yield from (
                current / name
                for name in sorted(names)
                if name.endswith(".py") and name[:-3] not in installed and not _is_test(name)
            )

    def resolve(self, origin: Module, name: str, level: int = 0) -> Module | None:
        """Return the project's module that `import name` in `origin` means, or None when it is not the project's."""
        if level:
            base = origin.name.split(".") if origin.name else []
            if origin.package is None:
                level += 1
            base = base[: len(base) - level + 1] if level > 1 else base
            full = ".".join([*base, *([name] if name else [])])
            return self._find(origin.folder, full) if full else None
        for folder in self._search(origin):
            found = self._find(folder, name)
            if found is not None:
                return found
        return None

    def names_in(self, folder: Path) -> frozenset[str]:
        """Return the names in a folder; none when there is no such folder."""
        known = self._listings.get(folder)
        if known is None:
            known = listing(folder)
            self._listings[folder] = known
            self.read[f"{folder}/"] = digest_of_names(known)
        return known

    def shown(self, path: Path) -> str:
        """Return how a path is told: relative to the root where it is below it."""
        try:
            return path.relative_to(self.root).as_posix()
        except ValueError:
            return str(path)

    def _search(self, origin: Module) -> list[Path]:
        folders = [origin.folder, self.root, self.root / "src"]
        return list(dict.fromkeys(folders))

    def _find(self, folder: Path, name: str) -> Module | None:
        top = name.partition(".")[0]
        if top == _OURS or (top in self._installed_in(folder) and top not in self.owned):
            return None
        parts = name.split(".")
        place = folder.joinpath(*parts[:-1])
        names = self.names_in(place)
        if len(parts) > 1 and not names:
            return None
        last = parts[-1]
        if last in names:
            inner = self.names_in(place / last)
            if "__init__.py" in inner:
                return self._load(place / last / "__init__.py", name, folder)
            if f"{last}.py" not in names and _holds_source(inner) and last not in _NOT_SOURCE:
                return self._namespace(place / last, name, folder)
        if f"{last}.py" in names:
            return self._load(place / f"{last}.py", name, folder)
        return None

    def _namespace(self, place: Path, name: str, folder: Path) -> Module | None:
        if place not in self._modules:
            self._modules[place] = Module(name, self.shown(place), folder, package=place)
        return self._modules[place]

    def _load(self, file: Path, name: str, folder: Path) -> Module | None:
        if file not in self._modules:
            body = self._parse(file)
            if body is None:
                self._modules[file] = None
            else:
                package = file.parent if file.name == "__init__.py" else None
                self._modules[file] = Module(name, self.shown(file), folder, body, package)
        return self._modules[file]

    def _parse(self, file: Path) -> list[ast.stmt] | None:
        try:
            source = file.read_bytes()
        except OSError as e:
            self.problems.append(f"{self.shown(file)} cannot be read: {e.strerror}")
            return None
        self.read[str(file)] = digest_of(source)
        if len(source) > _LARGEST:
            self.problems.append(f"{self.shown(file)} is not checked: it has more than a million bytes")
            return None
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about the user's string literals
                return ast.parse(source, filename=str(file)).body
        except (SyntaxError, ValueError, RecursionError, MemoryError) as e:
            where = f", line {e.lineno}" if isinstance(e, SyntaxError) and e.lineno else ""
            reason = e.msg if isinstance(e, SyntaxError) else str(e) or type(e).__name__
            self.problems.append(f"{self.shown(file)} cannot be parsed: {reason}{where}")
            return None

    def _installed_in(self, folder: Path) -> frozenset[str]:
        """The top-level names in a folder that an installer put there, which are not the project's."""
        known = self._installed.get(folder)
        if known is None:
            found: set[str] = set()
            distributions = [name for name in self.names_in(folder) if name.endswith(".dist-info")]
            for name in distributions if len(distributions) > 1 else ():  # one alone is the project's own
                tops = _recorded(folder / name)
                if not tops & self.owned:
                    found |= tops
            known = self._installed[folder] = frozenset(found)
        return known


def listing(folder: Path) -> frozenset[str]:
    """Return the names in a folder that matter here."""
    try:
        return frozenset(
            name
            for name in os.listdir(folder)  # names are all that is needed, and there are many folders
            if not name.startswith(".") and name != "__pycache__" and _matters(name)
        )
    except OSError:
        return frozenset()


def digest_of(data: bytes) -> str:
    """Return the digest of a file."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def digest_of_names(names: frozenset[str]) -> str:
    """Return the digest of what is in a folder."""
    return digest_of("\n".join(sorted(names)).encode())


def _matters(name: str) -> bool:
    return "." not in name or name.endswith((".py", ".dist-info")) or name == "pyvenv.cfg"


def _is_test(name: str) -> bool:
    return name.startswith("test_") or name.endswith("_test.py") or name == "conftest.py"


def _holds_source(names: frozenset[str]) -> bool:
    return any(name.endswith(".py") or "." not in name for name in names)


def _recorded(folder: Path) -> set[str]:
    try:
        lines = (folder / "RECORD").read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return set()
    tops = {line.partition(",")[0].partition("/")[0] for line in lines}
    return {top.removesuffix(".py") for top in tops if top and not top.endswith((".dist-info", ".."))}
