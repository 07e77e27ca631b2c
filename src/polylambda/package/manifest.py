"""What a project says of itself: its handler, its Python, and where it names what it depends on."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from polylambda.errors import ConfigurationError
from polylambda.package.target import DEFAULT_ARCHITECTURE, DEFAULT_PYTHON

if TYPE_CHECKING:
    from pathlib import Path

DEFAULT_HANDLER = "app.handler"

_SECTION = "[tool.polylambda]"
_KEYS = ("handler", "python", "architecture", "event")


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a project's folder tells.

    Attributes:
        root: the project's folder.
        name: for functions and layers, when nobody says another.
        handler: from `[tool.polylambda]` of pyproject.toml; `app.handler` when there is an app.py; else empty.
        python: from there; else the usual one.
        architecture: from there; else the usual one.
        event: file that the package is tried with: from there, else event.json; None: there is none.
        requirements: the file that says what it depends on: uv.lock, requirements.txt or pyproject.toml; None: nothing.
        unread: where else dependencies are named, which are not read.
    """

    root: Path
    name: str
    handler: str
    python: str
    architecture: str
    event: Path | None
    requirements: Path | None
    unread: tuple[str, ...] = ()


def read_manifest(root: Path) -> Manifest:
    """Read what the folder says.

    Raises:
        ConfigurationError: its pyproject.toml cannot be read, or has a value in `[tool.polylambda]` that is no text.
    """
    pyproject = _pyproject(root / "pyproject.toml")
    own = _table(_table(pyproject, "tool"), "polylambda")
    for key, value in own.items():
        if key in _KEYS and not isinstance(value, str):
            raise ConfigurationError(f"{key} in {_SECTION} of pyproject.toml is {value!r}: it must be text")
    project = _table(pyproject, "project")
    requirements = _requirements(root, project)
    default = DEFAULT_HANDLER if (root / "app.py").is_file() else ""
    return Manifest(
        root=root,
        name=str(project.get("name") or root.resolve().name),
        handler=own.get("handler") or default,
        python=own.get("python") or DEFAULT_PYTHON,
        architecture=own.get("architecture") or DEFAULT_ARCHITECTURE,
        event=_event(root, own.get("event")),
        requirements=requirements,
        unread=_unread(root, requirements, pyproject),
    )


def _requirements(root: Path, project: dict[str, Any]) -> Path | None:
    for name in ("uv.lock", "requirements.txt"):
        if (root / name).is_file():
            return root / name
    named = project.get("dependencies") or "dependencies" in (project.get("dynamic") or ())
    return root / "pyproject.toml" if named else None


def _unread(root: Path, read: Path | None, pyproject: dict[str, Any]) -> tuple[str, ...]:
    """Return what names dependencies besides the file that is read; a lock file has what pyproject.toml names."""
    name = read.name if read is not None else ""
    project, poetry = _table(pyproject, "project"), _table(_table(pyproject, "tool"), "poetry")
    found = {
        "requirements.txt": name != "requirements.txt" and (root / "requirements.txt").is_file(),
        "[project] of pyproject.toml": name == "requirements.txt" and bool(project.get("dependencies")),
        "[tool.poetry.dependencies] of pyproject.toml": bool(_table(poetry, "dependencies").keys() - {"python"}),
        "Pipfile": (root / "Pipfile").is_file(),
    }
    return tuple(name for name, named in found.items() if named)


def _event(root: Path, named: str | None) -> Path | None:
    usual = root / "event.json"
    return root / named if named else usual if usual.is_file() else None


def _pyproject(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}") from error


def _table(parent: dict[str, Any], key: str) -> dict[str, Any]:
    value = parent.get(key)
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
