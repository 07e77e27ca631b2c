"""Names and their scopes."""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING

from polylambda.check.static import writes
from polylambda.check.static.values import UNKNOWN, External, Later, Value, join

if TYPE_CHECKING:
    import ast

    from polylambda.check.static.frame import Frame, Scope

_BUILTINS = frozenset(dir(builtins))


def lookup(frame: Frame, name: str) -> Value:
    """Return what a name stands for."""
    scope = scope_of(frame, name)
    if scope is not None:
        return settled(scope.variables[name])
    if name in _BUILTINS:
        return (External(f"builtins.{name}"),)
    top = module_scope(frame.scope)
    return (External(f"{top.stars[0]}.{name}"),) if top.stars else UNKNOWN


def scope_of(frame: Frame, name: str) -> Scope | None:
    """Return the scope that has a name, or None."""
    scope: Scope | None = module_scope(frame.scope) if name in frame.scope.globals else frame.scope
    while scope is not None:
        if name in scope.variables and (scope.kind != "class" or scope is frame.scope):
            return scope
        scope = scope.parent
    return None


def module_scope(scope: Scope) -> Scope:
    """Return the scope of the module that a scope is in."""
    while scope.parent is not None:
        scope = scope.parent
    return scope


def settled(value: Value) -> Value:
    """Return a value without names that could not be looked up when they were imported."""
    if not any(isinstance(atom, Later) for atom in value):
        return value
    result: Value = ()
    for atom in value:
        if isinstance(atom, Later):
            scope = atom.module.scope
            found = scope.variables.get(atom.name, UNKNOWN) if scope is not None else UNKNOWN
            result = join(result, tuple(each for each in found if not isinstance(each, Later)) or UNKNOWN)
        else:
            result = join(result, (atom,))
    return result


def store(frame: Frame, name: str, value: Value, node: ast.AST, augmented: bool = False) -> None:
    """Give a name a value, as an assignment in this frame does."""
    scope = frame.scope
    if name in scope.globals:
        target = module_scope(scope)
    elif name in scope.nonlocals:
        target = _enclosing(scope, name)
    else:
        scope.variables[name] = value
        if scope.shared:
            writes.keep(value, scope.home_of(name))
        return
    if frame.importing:
        target.variables[name] = value
    else:
        writes.rebind(frame, target, name, value, node, augmented=augmented)
        target.variables[name] = join(target.variables.get(name, ()), value)
    if target.shared:
        writes.keep_on(frame, value, target.home_of(name))


def _enclosing(scope: Scope, name: str) -> Scope:
    found = scope.parent
    while found is not None:
        if name in found.variables and found.kind == "function":
            return found
        found = found.parent
    return scope
