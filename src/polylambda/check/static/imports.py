"""Import statements: the project's modules, and names of everybody else's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polylambda.check.static import names
from polylambda.check.static.values import UNKNOWN, External, Later, Package, Value

if TYPE_CHECKING:
    import ast

    from polylambda.check.static.frame import Frame, Scope


def run_import(frame: Frame, node: ast.Import) -> None:
    """`import a.b as c`."""
    for alias in node.names:
        module = frame.engine.project.resolve(frame.module, alias.name)
        top = alias.name.partition(".")[0]
        if module is None:
            value: Value = (External(alias.name if alias.asname else top),)
        else:
            frame.engine.import_module(module)
            whole = module if alias.asname else frame.engine.project.resolve(frame.module, top)
            value = (Package(whole),) if whole is not None else UNKNOWN
            if whole is not None:
                frame.engine.import_module(whole)
        _store(frame, alias.asname or top, value)


def run_import_from(frame: Frame, node: ast.ImportFrom) -> None:
    """`from a import b as c`, and `from a import *`."""
    project = frame.engine.project
    module = project.resolve(frame.module, node.module or "", node.level)
    for alias in node.names:
        name = alias.asname or alias.name
        if module is None:
            owner = node.module or "?"
            if alias.name == "*":
                names.module_scope(frame.scope).stars.append(owner)
            else:
                external = UNKNOWN if node.level else (External(f"{owner}.{alias.name}"),)
                _store(frame, name, external)
            continue
        scope = frame.engine.import_module(module)
        if alias.name == "*":
            _import_all(frame, scope)
            continue
        if alias.name in scope.variables:
            value = scope.variables[alias.name]
        else:
            below = project.resolve(module, alias.name, 1) if module.package is not None else None
            if below is not None:
                frame.engine.import_module(below)
                value = (Package(below),)
            elif scope.stars and module.done:
                value = (External(f"{scope.stars[0]}.{alias.name}"),)
            else:
                value = UNKNOWN if module.done else (Later(module, alias.name),)
        _store(frame, name, value)


def _import_all(frame: Frame, scope: Scope) -> None:
    for name, value in list(scope.variables.items()):
        if not name.startswith("_"):
            frame.scope.variables[name] = value
    frame.scope.stars += scope.stars


def _store(frame: Frame, name: str, value: Value) -> None:
    """Give a name what was imported: the same each time, also where the name is a global."""
    scope = names.module_scope(frame.scope) if name in frame.scope.globals else frame.scope
    scope.variables[name] = value
    if scope is not frame.scope and not frame.importing:
        frame.engine.report.filled.add((id(scope), name))
