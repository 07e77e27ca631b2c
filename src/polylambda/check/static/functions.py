"""Functions and classes as they are defined, and what their decorators make of them."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from polylambda.check.static import wrappers, writes
from polylambda.check.static.frame import Arguments, Scope
from polylambda.check.static.values import (
    UNKNOWN,
    Atom,
    Bound,
    Class,
    External,
    Function,
    FunctionNode,
    Home,
    Instance,
    Member,
    Partial,
    Tag,
    Value,
    Wrapper,
    join,
)

if TYPE_CHECKING:
    from polylambda.check.static.frame import Frame

CACHES = frozenset({"functools.lru_cache", "functools.cache", "async_lru.alru_cache", "cachetools.func.lru_cache"})
_STARTS = frozenset(
    {"on_event", "on_startup", "on_shutdown", "before_serving", "after_serving", "before_first_request"}
)
_TRAITS = {
    "builtins.staticmethod": "static",
    "builtins.classmethod": "class",
    "builtins.property": "property",
    "functools.cached_property": "kept",
    "django.utils.functional.cached_property": "kept",
    "contextlib.contextmanager": "manager",
    "contextlib.asynccontextmanager": "manager",
    "polylambda.concurrency_safe": "safe",
    "polylambda.safety.concurrency_safe": "safe",
    "dataclasses.dataclass": "dataclass",
    "attr.s": "dataclass",
    "attr.attrs": "dataclass",
    "attrs.define": "dataclass",
    "attrs.frozen": "dataclass",
    "attr.define": "dataclass",
    "pydantic.dataclasses.dataclass": "dataclass",
    "typing.overload": "overload",
    "functools.total_ordering": "ordered",
}


def define(frame: Frame, node: FunctionNode, name: str) -> Function:
    """Return the function that a definition makes, without its decorators."""
    owner: Class | None = None
    made = Function(name, node, frame.module, frame.scope, owner, frame.importing, {})
    arguments = node.args
    named = arguments.posonlyargs + arguments.args
    pairs = list(zip(named[len(named) - len(arguments.defaults) :], arguments.defaults, strict=True))
    pairs += [
        (name, default) for name, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if default
    ]
    for argument, default in pairs:
        value = frame.value(default)
        if isinstance(default, ast.List | ast.Dict | ast.Set | ast.Call | ast.ListComp | ast.DictComp):
            where = frame.site(node)
            for atom in value:
                if isinstance(atom, Instance) and atom.shared and atom.home is None:
                    atom.site = where
                    atom.home = Home(
                        "B006", f"default of `{argument.arg}` of `{name}`", f"`{argument.arg}` of `{name}`"
                    )
        made.defaults[argument.arg] = value
    return made


def decorated(frame: Frame, made: Function | Class, decorators: list[ast.expr]) -> Value:
    """Return what decorators make of a function or a class, the innermost first."""
    value: Value = (made,)
    for decorator in reversed(decorators):
        value = _decorate(frame, frame.value(decorator), value, decorator)
    return value


def _decorate(frame: Frame, decorator: Value, value: Value, node: ast.expr) -> Value:
    result: Value = ()
    for atom in decorator:
        name = _name_of(atom)
        if name in _TRAITS:
            for each in value:
                if isinstance(each, Function | Class):
                    each.traits.add(_TRAITS[name])
            result = join(result, value)
        elif name in CACHES:
            for each in value:
                if isinstance(each, Function):
                    each.traits.add("cached")
                    each.attributes["__cached_at__"] = (Instance("decorator", False, frame.site(node)),)
            result = join(result, value)
        elif isinstance(atom, Function) and wrappers.is_maker(atom):
            result = join(result, wrappers.wrapped(atom, value))
        elif isinstance(atom, Function | Bound | Class | Partial | Wrapper) or (
            isinstance(atom, Instance) and isinstance(atom.kind, Class)
        ):
            made = frame.call((atom,), Arguments([value]), node)
            result = join(result, wrappers.with_fallback(made, value))
        else:
            _register(frame, atom, value, node)
            result = join(result, value)
    return result if result and result != UNKNOWN else value


def _name_of(atom: Atom) -> str:
    match atom:
        case External(name=name):
            return name
        case Instance(kind=str() as kind):
            return kind.lstrip("?")
        case _:
            return ""


def _register(frame: Frame, decorator: Atom, value: Value, node: ast.expr) -> None:
    """Somebody else's decorator leaves the function as it is, and may call it later."""
    if _name_of(decorator):
        wrappers.mark(value)
    if isinstance(decorator, Tag) and isinstance(node, ast.Call):
        _register_here(frame, node.func, value)
    if isinstance(decorator, Instance) and decorator.type_name.rpartition(".")[2] in _STARTS:
        frame.engine.start(value)
        return
    owner: Instance | None = None
    if isinstance(decorator, Member):
        owner = decorator.owner
    elif isinstance(decorator, Instance):
        owner = decorator
        for callback in decorator.arguments:
            if isinstance(callback, Instance):
                owner = callback
                callback.callbacks.extend(atom for atom in value if atom not in callback.callbacks)
    if owner is not None:
        owner.callbacks.extend(atom for atom in value if atom not in owner.callbacks)


def _register_here(frame: Frame, decorator: ast.expr, value: Value) -> None:
    """`@app.get("/")` in a handler that makes its application."""
    for atom in frame.value(decorator):
        if isinstance(atom, Member) and not atom.owner.shared:
            atom.owner.callbacks.extend(each for each in value if each not in atom.owner.callbacks)


def define_class(frame: Frame, node: ast.ClassDef) -> Class:
    """Return the class that a definition makes, without its decorators."""
    bases: list[Class | External] = []
    for base in node.bases:
        bases += [atom for atom in frame.value(base) if isinstance(atom, Class | External)]
    scope = Scope("class", node.name, frame.scope, frame.importing)
    made = Class(node.name, node, frame.module, scope, tuple(bases), frame.importing)
    outer = frame.scope
    frame.scope = scope
    try:
        frame.run(node.body)
    finally:
        frame.scope = outer
    for value in scope.variables.values():
        for atom in value:
            if isinstance(atom, Function) and atom.owner is None and atom.scope is scope:
                atom.owner = made
        writes.keep(value, None)
    return made
