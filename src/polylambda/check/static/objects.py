"""Objects of the project's classes: how they are made, and what an annotation says that a value is."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from polylambda.check.facts import given_by
from polylambda.check.static import attributes, effects, writes
from polylambda.check.static.frame import Arguments, Call
from polylambda.check.static.values import (
    CONTEXT,
    REQUEST,
    UNKNOWN,
    Class,
    External,
    Function,
    Home,
    Instance,
    Tag,
    Value,
    join,
)

if TYPE_CHECKING:
    from polylambda.check.static.frame import Frame

_WRAPPED = ("Optional", "Annotated", "Final", "ClassVar", "Union")
_CONTEXTS = frozenset({"polylambda.LambdaContext", "polylambda.context.LambdaContext"})
_OF_A_REQUEST = ("Request", "Event", "WebSocket", "BackgroundTasks")


def instantiate(frame: Frame, owner: Class, arguments: Arguments, node: ast.AST) -> Value:
    """Return a new object of a class."""
    made = Instance(owner, frame.importing, frame.site(node))
    if owner.find("__new__") is not None and _keeps_one(owner):
        made.shared = True  # a singleton, made by whoever comes first
        made.home = Home("LMI106", f"the one `{owner.name}`", owner.name)
    if _has_fields(owner):
        _fill_fields(frame, made, owner, arguments, node)
    method = owner.find("__init__")
    if method is not None:
        frame.call(attributes.bound(method, (made,)), arguments, node)
        after = owner.find("__post_init__")
    else:
        after = owner.find("__post_init__")
        made.arguments = join((), *arguments.all())
        for base in owner.externals():
            effects.apply(Call(frame, arguments, node, made), base, made)
    if after is not None:
        frame.call(attributes.bound(after, (made,)), Arguments(), node)
    if frame.importing:
        for value in made.attributes.values():
            for atom in value:
                if isinstance(atom, Function):
                    made.callbacks.append(atom)
    return (made,)


def _keeps_one(owner: Class) -> bool:
    return any("instance" in name.lower() for each in owner.lineage() for name in each.scope.variables)


def _has_fields(owner: Class) -> bool:
    return any("dataclass" in each.traits for each in owner.lineage()) or any(
        base.endswith((".BaseModel", ".BaseSettings", ".NamedTuple", ".Struct")) for base in owner.externals()
    )


def _fill_fields(frame: Frame, made: Instance, owner: Class, arguments: Arguments, node: ast.AST) -> None:
    fields: list[str] = []
    for each in reversed(owner.lineage()):
        fields += [name for name in each.scope.fields if name not in fields]
    for position, name in enumerate(fields):
        if position < len(arguments.positional) or name in arguments.named:
            value = arguments.at(position, name)
        else:
            value = _default_of(frame, owner, name, arguments, node)
        if value is not None:
            made.attributes[name] = value
            if made.shared:
                writes.keep(value, Home("LMI106", f"attribute `{name}` of the shared `{owner.name}` object", name))


def _default_of(frame: Frame, owner: Class, name: str, arguments: Arguments, node: ast.AST) -> Value | None:
    default = owner.find(name)
    if default is None:
        return arguments.rest or (UNKNOWN if arguments.partial else None)
    for atom in default:
        if isinstance(atom, Instance) and atom.type_name.rpartition(".")[2] in (
            "field",
            "Field",
            "attrib",
            "ib",
            "PrivateAttr",
        ):
            factory = atom.attributes.get("default_factory") or atom.attributes.get("factory")
            if factory is not None:
                return frame.call(factory, Arguments(), node)
            return atom.attributes.get("default", UNKNOWN)
    base = owner.externals()
    if any(each.endswith((".BaseModel", ".BaseSettings", ".Struct")) for each in base):
        return tuple(_fresh(frame, atom, node) if isinstance(atom, Instance) else atom for atom in default)  # copied
    return default


def _fresh(frame: Frame, atom: Instance, node: ast.AST) -> Instance:
    made = Instance(atom.kind, frame.importing, frame.site(node), elements=atom.elements)
    made.attributes = dict(atom.attributes)
    return made


def provided(frame: Frame, dependency: Instance, node: ast.AST) -> Value:
    """Return what a dependency of a web framework gives the function that asks for it."""
    result: Value = ()
    for atom in dependency.callbacks:
        if isinstance(atom, Function | Class | Instance):
            result = join(result, frame.call((atom,), Arguments(partial=True, rest=REQUEST), node))
    given: Value = ()
    for atom in result:
        inner = atom.elements if isinstance(atom, Instance) and atom.type_name == "builtins.generator" else (atom,)
        given = join(given, inner)
    return given or UNKNOWN


def by_annotation(frame: Frame, annotation: ast.expr | None, value: Value, node: ast.AST) -> Value:
    """Return a value, or what its annotation says when nothing else is known of it."""
    if annotation is None or not value or any(not isinstance(atom, Tag) for atom in value):
        return value
    found = _annotated(frame, annotation, node)
    if found is None:
        return value
    if any(atom is Tag.REQUEST for atom in value):
        # A route's argument: of the request, unless its type says that it is something else.
        return found if found == CONTEXT or any(isinstance(a, Instance) and a.callbacks for a in found) else value
    return found


def _annotated(frame: Frame, annotation: ast.expr, node: ast.AST) -> Value | None:
    match annotation:
        case ast.Constant(value=str() as text):
            try:
                return _annotated(frame, ast.parse(text, mode="eval").body, node)
            except SyntaxError:
                return None
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _annotated(frame, left, node) or _annotated(frame, right, node)
        case ast.Subscript(value=ast.Name(id=outer) | ast.Attribute(attr=outer), slice=inner) if outer in _WRAPPED:
            return _wrapped(frame, outer, inner, node)
        case ast.Name() | ast.Attribute():
            return _named(frame, annotation, node)
        case _:
            return None


def _wrapped(frame: Frame, outer: str, inner: ast.expr, node: ast.AST) -> Value | None:
    if not isinstance(inner, ast.Tuple):
        return _annotated(frame, inner, node)
    if outer == "Annotated":
        for each in inner.elts[1:]:
            for atom in frame.value(each):
                if isinstance(atom, Instance) and atom.type_name.endswith(".Depends"):
                    return provided(frame, atom, node)
    return _annotated(frame, inner.elts[0], node)


def _named(frame: Frame, annotation: ast.expr, node: ast.AST) -> Value | None:
    defined = Instance("?", False, frame.site(node))
    for atom in frame.value(annotation):
        if isinstance(atom, External):
            last = atom.name.rpartition(".")[2]
            if atom.name in _CONTEXTS or last == "LambdaContext":
                return CONTEXT
            if atom.name.startswith("builtins.") or not last[:1].isupper() or last.endswith(_OF_A_REQUEST):
                return None
            defined.kind = given_by(atom.name) or atom.name
            return (defined,)
        if isinstance(atom, Class):
            defined.kind = atom
            return (defined,)
    return None
