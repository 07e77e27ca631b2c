"""What the user named: a handler, a module, a file, or a folder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from polylambda.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

    from polylambda.check.static.project import Module, Project


@dataclass(frozen=True, slots=True)
class Target:
    """Modules to look for handlers in, or one handler.

    Attributes:
        name: of the handler, dotted within its module; None when handlers are to be found.
    """

    shown: str
    modules: tuple[Module, ...]
    name: str | None = None


def target_of(project: Project, text: str) -> Target:
    """Return what `text` names.

    Raises:
        ConfigurationError: there is no such file, folder, module or handler.
    """
    path = project.root / text
    if path.is_dir():
        modules = [project.module_at(file) for file in project.files_below(path.resolve())]
        return Target(text, tuple(module for module in modules if module is not None))
    if path.is_file():
        module = project.module_at(path.resolve())
        if module is None:
            raise ConfigurationError(project.why_not(path.resolve()))
        return Target(text, (module,))
    if text.endswith(".py"):
        raise ConfigurationError(f"there is no file {text!r} in {project.root}")
    parts = [part for part in text.replace("/", ".").split(".") if part]
    for count in range(len(parts), 0, -1):
        module = _module(project, parts[:count])
        if module is not None:
            return Target(text, (module,), ".".join(parts[count:]) or None)
    raise ConfigurationError(
        f"there is no file, folder or module {text!r} in {project.root}: name a handler such as app.handler, or a file such as app.py"
    )


def _module(project: Project, parts: list[str]) -> Module | None:
    for base in (project.root, project.root / "src"):
        place: Path = base.joinpath(*parts)
        for file in (place.with_name(f"{place.name}.py"), place / "__init__.py"):
            if file.is_file():
                module = project.module_at(file)
                if module is None:
                    raise ConfigurationError(project.why_not(file))
                return module
    return None
