"""Attributes: where they are looked up, and what setting them does."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from polylambda.check.facts import facts_of, given_by
from polylambda.check.finding import Mode
from polylambda.check.static import names, writes
from polylambda.check.static.frame import Arguments, Call
from polylambda.check.static.values import (
    REQUEST,
    UNKNOWN,
    Atom,
    Bound,
    Class,
    Const,
    External,
    Fixed,
    Function,
    Home,
    Instance,
    Member,
    Package,
    Super,
    Tag,
    Value,
    Wrapper,
    is_request,
    join,
)

if TYPE_CHECKING:
    import ast

    from polylambda.check.static.frame import Frame
    from polylambda.check.static.project import Module

_OWN_STATE = frozenset({"state", "headers", "cookies", "params", "auth", "proxies", "config", "options", "extra", "g"})
_OF_THE_REQUEST = tuple(
    f"{module}.{name}." for module in ("flask", "quart", "bottle") for name in ("g", "request", "session", "response")
)
_PLAIN_TEXT = frozenset({"__name__", "__qualname__", "__module__", "__doc__", "__file__"})
_NOT_KEPT = frozenset({"tmp_dir", "logger", "deadline"})


def load(frame: Frame, value: Value, name: str, node: ast.AST) -> Value:
    """Return `value.name`."""
    result: Value = ()
    for atom in value:
        result = join(result, _load(frame, atom, name, node))
    return result or UNKNOWN


def _load(frame: Frame, atom: Atom, name: str, node: ast.AST) -> Value:
    match atom:
        case Instance():
            return _of_instance(frame, atom, name, node)
        case Tag():
            return _of_tag(frame, atom, name)
        case External(name=owner):
            return (External(f"{owner}.{name}"),)
        case Package(module=module):
            return _of_module(frame, module, name)
        case Class():
            return _of_class(atom, name)
        case Function() | Bound():
            return _of_function(atom, name)
        case Member(owner=owner, path=path):
            return REQUEST if not owner.shared and is_request((owner,)) else (Member(owner, f"{path}.{name}"),)
        case Super(owner=owner, receiver=receiver):
            return _of_super(owner, receiver, name)
        case Const() | Fixed():
            return () if atom == Const(None) else (External(f"builtins.str.{name}"),)
        case _:
            return UNKNOWN


def _of_module(frame: Frame, module: Module, name: str) -> Value:
    scope = frame.engine.import_module(module)
    if name in scope.variables:
        return names.settled(scope.variables[name])
    below = frame.engine.project.resolve(module, name, 1) if module.package is not None else None
    return (Package(below),) if below is not None else UNKNOWN


def _of_function(atom: Function | Bound, name: str) -> Value:
    function = atom.function if isinstance(atom, Bound) else atom
    return (Fixed(function.name),) if name in _PLAIN_TEXT else function.attributes.get(name, UNKNOWN)


def _of_tag(frame: Frame, tag: Tag, name: str) -> Value:
    if tag is Tag.CONTEXT:
        if name == "state":
            return frame.engine.state
        return UNKNOWN if name in _NOT_KEPT else REQUEST
    return (tag,)


def _of_instance(frame: Frame, target: Instance, name: str, node: ast.AST) -> Value:
    if isinstance(target.kind, str):
        if name in target.attributes and not target.kind.startswith("builtins."):
            return writes.inherit(frame, target, target.attributes[name])
        if facts_of(f"{target.kind}.{name}") or given_by(f"{target.kind}.{name}"):
            return (Member(target, name),)
        return (part_of(frame, target, "__getattr__") or Member(target, name),)
    if name == "__class__":
        return (target.kind,)
    found = target.kind.find(name)
    if name in target.attributes:
        own = writes.inherit(frame, target, target.attributes[name])
        if found is None or not any(isinstance(atom, Function) for atom in found):
            return own
        return own
    if found is None:
        if name == "__dict__":
            return (target,)
        getter = target.kind.find("__getattr__")
        if getter is not None:
            return frame.call(bound(getter, (target,)), Arguments([(Fixed(name),)]), node)
        return (Member(target, name),) if target.kind.externals() else UNKNOWN
    return _descriptor(frame, found, target, name, node)


def part_of(frame: Frame, target: Instance, way: str) -> Instance | None:
    """Return what an item or an attribute of somebody else's object is, such as a collection of a database."""
    kind = given_by(f"{target.type_name}.{way}") if isinstance(target.kind, str) and target.kind[0] != "?" else None
    if kind is None:
        return None
    if not frame.importing and target.shared:
        frame.engine.report.use(frame, target.site)
    return Instance(kind, target.shared, target.site, target.home, arguments=(target,))


def _descriptor(frame: Frame, found: Value, target: Instance, name: str, node: ast.AST) -> Value:
    result: Value = ()
    for atom in found:
        if isinstance(atom, Function) and "property" in atom.traits:
            result = join(result, frame.call((Bound(atom, (target,)),), Arguments(), node))
        elif isinstance(atom, Function) and "kept" in atom.traits:
            result = join(result, _kept(frame, atom, target, name, node))
        else:
            result = join(result, bound((atom,), (target,)))
    return result


def _kept(frame: Frame, function: Function, target: Instance, name: str, node: ast.AST) -> Value:
    """A cached property: computed for the first who asks, kept for all who ask the same object."""
    result = frame.call((Bound(function, (target,)),), Arguments(), node)
    if target.shared and not frame.importing:
        if is_request(result) and not frame.quiet:
            message = f"cached property `{name}` of {writes.described(target)} is filled from the first request"
            fix = "make it a plain property, or make the object anew for every invocation"
            site = frame.engine.site_of(function)
            frame.engine.report.add(frame, "LMI105", site, message, fix)
        writes.keep(
            result, Home("LMI106", f"cached property `{name}` of {writes.described(target)}", name), escaping=True
        )
        frame.engine.report.keep(result)
    return result


def _of_class(owner: Class, name: str) -> Value:
    found = owner.find(name)
    if found is None:
        if name in _PLAIN_TEXT:
            return (Fixed(owner.name),)
        externals = owner.externals()
        return (External(f"{externals[0]}.{name}"),) if externals else UNKNOWN
    return tuple(
        Bound(atom, (owner,)) if isinstance(atom, Function) and "class" in atom.traits else atom for atom in found
    )


def _of_super(owner: Class, receiver: Value, name: str) -> Value:
    lineage = owner.lineage()
    for atom in receiver:
        if isinstance(atom, Instance) and isinstance(atom.kind, Class) and owner in atom.kind.lineage():
            lineage = atom.kind.lineage()[atom.kind.lineage().index(owner) :]
    for each in lineage[1:]:
        if name in each.scope.variables:
            return bound(each.scope.variables[name], receiver)
    externals = owner.externals()
    return (External(f"{externals[0]}.{name}"),) if externals else UNKNOWN


def bound(value: Value, receiver: Value) -> Value:
    """Return functions with the object they are methods of."""
    result: Value = ()
    for atom in value:
        if isinstance(atom, Function) and "static" not in atom.traits:
            owner = tuple(
                each.kind if isinstance(each, Instance) and "class" in atom.traits else each for each in receiver
            )
            classes = tuple(each for each in owner if not isinstance(each, str))
            result = join(result, (Bound(atom, classes),))
        elif isinstance(atom, Wrapper):
            result = join(result, (replace(atom, wrapped=bound(atom.wrapped, receiver)),))
        else:
            result = join(result, (atom,))
    return result


def store(frame: Frame, value: Value, name: str, content: Value, node: ast.AST, *, augmented: bool = False) -> None:
    """`value.name = content`."""
    for atom in value:
        match atom:
            case Instance():
                _store_in_instance(frame, atom, name, content, node, augmented=augmented)
            case Class():
                writes.set_attribute(frame, atom, name, node, content, augmented=augmented)
                atom.scope.variables[name] = _joined(frame, atom.scope.variables.get(name, ()), content)
                if atom.shared:
                    writes.keep_on(frame, content, atom.scope.home_of(name))
            case Function():
                writes.set_attribute(frame, atom, name, node, content, augmented=augmented)
                atom.attributes[name] = _joined(frame, atom.attributes.get(name, ()), content)
                home = Home("LMI104", f"attribute `{name}` of function `{atom.name}`", name)
                if atom.shared:
                    writes.keep_on(frame, content, home)
            case Package(module=module):
                scope = frame.engine.import_module(module)
                writes.set_module_attribute(frame, scope, name, module.name, node, content)
                scope.variables[name] = _joined(frame, scope.variables.get(name, ()), content)
                writes.keep_on(frame, content, scope.home_of(name))
            case External(name=owner):
                _store_in_external(frame, f"{owner}.{name}", content, node)
            case Member():
                if not frame.engine.known(Call(frame, Arguments([content]), node, atom.owner), f"{atom.name}.{name}="):
                    change_member(frame, atom, node, content)
            case _:
                pass


def _joined(frame: Frame, old: Value, new: Value) -> Value:
    return new if frame.importing else join(old, new)


def _store_in_instance(
    frame: Frame, target: Instance, name: str, content: Value, node: ast.AST, *, augmented: bool
) -> None:
    if isinstance(target.kind, Class):
        found = target.kind.find(f"{name}.setter")
        if found is not None:
            frame.call(bound(found, (target,)), Arguments([content]), node)
            return
    if isinstance(target.kind, str) and frame.engine.known(
        Call(frame, Arguments([content]), node, target), f"{target.kind}.{name}="
    ):
        return
    writes.set_attribute(frame, target, name, node, content, augmented=augmented)
    known = target.attributes.get(name, ())
    target.attributes[name] = content if not target.shared or frame.importing else join(known, content)
    if target.shared:
        home = Home("LMI106", f"attribute `{name}` of {writes.described(target)}", name)
        if target.type_name == "threading.local" and frame.engine.mode is Mode.THREAD:
            frame.engine.report.keep(content)  # for the next invocation in this thread
            for atom in content:
                if isinstance(atom, Instance):
                    frame.engine.report.alone.add(atom.site)
        else:
            writes.keep_on(frame, content, home)


def _store_in_external(frame: Frame, name: str, content: Value, node: ast.AST) -> None:
    if (
        frame.importing
        or name.startswith(_OF_THE_REQUEST)
        or frame.engine.known(Call(frame, Arguments([content]), node), f"{name}=")
        or frame.quiet
        or frame.is_guarded()
    ):
        return
    message = f"`{name}` is set, in a module that all invocations use"
    frame.engine.report.add(frame, "LMI214", frame.place(node), message, "set it once, at import, or pass what differs")


def change_member(frame: Frame, member: Member, node: ast.AST, content: Value = ()) -> None:
    """What an attribute of somebody else's object holds is changed."""
    first = member.path.partition(".")[0]
    if first in _OWN_STATE:
        writes.set_attribute(frame, member.owner, member.path, node, content)
