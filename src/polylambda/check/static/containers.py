"""What lists, dictionaries and iterators hold, and which of their methods change them."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from polylambda.check.static import attributes, names, writes
from polylambda.check.static.frame import Arguments, Call
from polylambda.check.static.values import (
    REQUEST,
    TEXT,
    UNKNOWN,
    Class,
    Const,
    Coroutine,
    External,
    Fixed,
    Instance,
    Member,
    Tag,
    Value,
    is_request,
    join,
)

if TYPE_CHECKING:
    from polylambda.check.static.frame import Frame

BUILTIN = frozenset(
    {
        "builtins.list",
        "builtins.dict",
        "builtins.set",
        "builtins.tuple",
        "builtins.frozenset",
        "builtins.bytearray",
        "collections.deque",
        "collections.defaultdict",
        "collections.OrderedDict",
        "collections.Counter",
        "collections.ChainMap",
    }
)
CHANGEABLE = BUILTIN - {"builtins.tuple", "builtins.frozenset"}
AWAITABLE = frozenset({"asyncio.Task", "asyncio.Future", "concurrent.futures.Future"})
ITERATORS = frozenset(
    {
        "builtins.generator",
        "builtins.iterator",
        "builtins.map",
        "builtins.filter",
        "builtins.zip",
        "builtins.enumerate",
        "itertools.cycle",
        "itertools.chain",
        "itertools.islice",
        "csv.reader",
        "csv.DictReader",
        "io.TextIOWrapper",
        "tempfile.NamedTemporaryFile",
        "tempfile.SpooledTemporaryFile",
        "tempfile.TemporaryFile",
    }
)
_ADDS = frozenset({"append", "add", "appendleft", "extend", "extendleft", "update", "insert", "setdefault", "push"})
_REMOVES = frozenset(
    {
        "pop",
        "popleft",
        "popitem",
        "remove",
        "discard",
        "clear",
        "sort",
        "reverse",
        "rotate",
        "subtract",
        "move_to_end",
        "difference_update",
        "intersection_update",
        "symmetric_difference_update",
        "__setitem__",
        "__delitem__",
    }
)
CHANGES = _ADDS | _REMOVES
_UPDATES = frozenset({"extend", "extendleft", "update"})


def key_name(key: Value) -> str | None:
    """Return how a constant key is kept apart from others; None when it is not one constant."""
    if len(key) == 1 and isinstance(key[0], Const):
        return str(key[0].value)
    return None


def held(frame: Frame, value: Value) -> Value:
    """Return everything that containers hold."""
    result: Value = ()
    for atom in value:
        if isinstance(atom, Instance):
            inside = join(atom.elements, *atom.attributes.values()) if isinstance(atom.kind, str) else atom.elements
            result = join(result, writes.inherit(frame, atom, inside))
        elif atom is Tag.REQUEST or atom is Tag.DERIVED:
            result = join(result, (atom,))
    return result


def elements_of(frame: Frame, value: Value, node: ast.AST) -> Value:
    """Return what iterating over a value gives."""
    result: Value = ()
    for atom in value:
        if isinstance(atom, Instance):
            if isinstance(atom.kind, Class):
                result = join(result, _iterated(frame, atom, node))
                continue
            if atom.type_name in ITERATORS:
                writes.consume(frame, atom, node)
            result = join(result, held(frame, (atom,)) or (REQUEST if is_request(atom.arguments) else UNKNOWN))
        elif isinstance(atom, Const | Fixed):
            result = join(result, TEXT)
        elif isinstance(atom, Coroutine):
            result = join(result, elements_of(frame, atom.result, node))
        else:
            result = join(result, (atom,) if isinstance(atom, Tag) else UNKNOWN)
    return result or UNKNOWN


def _iterated(frame: Frame, target: Instance, node: ast.AST) -> Value:
    for name in ("__iter__", "__aiter__"):
        method = attributes.load(frame, (target,), name, node)
        if method != UNKNOWN:
            made = frame.call(method, Arguments(), node)
            if made and made[0] is not target:
                return elements_of(frame, made, node)
            following = attributes.load(frame, (target,), name.replace("iter", "next"), node)
            return frame.call(following, Arguments(), node)
    return UNKNOWN


def item(frame: Frame, value: Value, key: Value, node: ast.AST) -> Value:
    """Return `value[key]`."""
    name = key_name(key)
    result: Value = ()
    for atom in value:
        if isinstance(atom, Instance):
            if isinstance(atom.kind, Class):
                method = attributes.load(frame, (atom,), "__getitem__", node)
                result = join(result, frame.call(method, Arguments([key]), node))
                continue
            part = attributes.part_of(frame, atom, "__getitem__")
            if part is not None:
                result = join(result, (part,))
                continue
            if name is not None:
                inside = join(atom.attributes.get(name, ()), atom.elements)
            else:
                inside = join(atom.elements, *atom.attributes.values())
            if not inside and atom.type_name == "collections.defaultdict":
                inside = _by_default(frame, atom, node)
            if not inside and atom.shared and frame.importing:
                inside = (Instance("?", True, frame.site(node)),)
            result = join(result, writes.inherit(frame, atom, inside) or UNKNOWN)
        elif isinstance(atom, Const | Fixed):
            result = join(result, TEXT if not is_request(key) else UNKNOWN)
        elif isinstance(atom, External):
            result = join(result, TEXT if atom.name == "os.environ" else (External(f"{atom.name}[]"),))
        elif isinstance(atom, Class):
            result = join(result, (atom,))  # a generic class
        else:
            result = join(result, (atom,) if isinstance(atom, Tag) else UNKNOWN)
    return result or UNKNOWN


def _by_default(frame: Frame, target: Instance, node: ast.AST) -> Value:
    made = frame.call(target.arguments, Arguments(), node) if target.arguments else UNKNOWN
    for atom in made:
        if isinstance(atom, Instance):
            atom.shared = target.shared
    target.elements = made
    return made


def set_item(frame: Frame, value: Value, key: Value, content: Value, node: ast.AST, *, augmented: bool = False) -> None:
    """`value[key] = content`."""
    for atom in value:
        if isinstance(atom, Instance):
            if isinstance(atom.kind, Class):
                method = attributes.load(frame, (atom,), "__setitem__", node)
                if method != UNKNOWN:
                    frame.call(method, Arguments([key, content]), node)
                    continue
            writes.change(frame, atom, node, content, key, augmented=augmented)
            if atom.shared and not frame.importing:
                frame.engine.report.keep(content)
            _put(atom, key_name(key), content)
        elif isinstance(atom, External):
            frame.engine.known(Call(frame, Arguments([key, content]), node), f"{atom.name}.__setitem__")
        elif isinstance(atom, Member):
            frame.engine.known(Call(frame, Arguments([key, content]), node), f"{atom.name}.__setitem__")
            attributes.change_member(frame, atom, node, content)


def delete_item(frame: Frame, value: Value, key: Value, node: ast.AST) -> None:
    """`del value[key]`."""
    for atom in value:
        if isinstance(atom, Instance):
            writes.change(frame, atom, node, (), key, augmented=True)
        elif isinstance(atom, External | Member):
            frame.engine.known(Call(frame, Arguments([key]), node), f"{atom.name}.__delitem__")


def _put(target: Instance, name: str | None, content: Value) -> None:
    if name is None or len(target.attributes) > 200:
        target.elements = join(target.elements, content)
    else:
        target.attributes[name] = join(target.attributes.get(name, ()), content)


def bind(frame: Frame, target: ast.expr, value: Value) -> None:
    """Assign to a target."""
    match target:
        case ast.Name(id=name):
            names.store(frame, name, value, target)
        case ast.Tuple(elts=targets) | ast.List(elts=targets):
            starred = False
            for position, each in enumerate(targets):
                if isinstance(each, ast.Starred):
                    starred = True
                    made = frame.made("builtins.list", each, held(frame, value) or UNKNOWN)
                    bind(frame, each.value, (made,))
                else:
                    place: Value = UNKNOWN if starred else (Const(position),)
                    bind(frame, each, item(frame, value, place, each))
        case ast.Attribute(value=owner, attr=name):
            attributes.store(frame, frame.value(owner), name, value, target)
        case ast.Subscript(value=owner, slice=key):
            container = frame.value(owner)
            if isinstance(key, ast.Slice):
                set_item(frame, container, UNKNOWN, held(frame, value), target, augmented=True)
            else:
                set_item(frame, container, frame.value(key), value, target)
        case ast.Starred(value=inner):
            bind(frame, inner, value)
        case _:
            pass


def copied(frame: Frame, value: Value, node: ast.AST, *, deep: bool = False) -> Value:
    """Return a copy of a value: another object with the same in it."""
    result: Value = ()
    for atom in value:
        if isinstance(atom, Instance) and (atom.type_name in BUILTIN or deep or isinstance(atom.kind, Class)):
            made = Instance(atom.kind, frame.importing, frame.site(node), elements=atom.elements)
            made.attributes = dict(atom.attributes)
            made.arguments = atom.arguments
            if deep:
                made.elements = copied(frame, made.elements, node)
                made.attributes = {name: copied(frame, each, node) for name, each in made.attributes.items()}
            else:
                held(frame, (atom,))  # what is in both belongs to the first
            result = join(result, (made,))
        elif isinstance(atom, External) and atom.name == "os.environ":
            result = join(result, (frame.made("builtins.dict", node, TEXT),))
        else:
            result = join(result, (atom,))
    return result


def call_method(frame: Frame, target: Instance, name: str, arguments: Arguments, node: ast.AST) -> Value:
    """Return what a method of a container gives, and change it."""
    if name in CHANGES:
        return _changed(frame, target, name, arguments, node)
    match name:
        case "get":
            default = arguments.at(1) if len(arguments.positional) > 1 else (Const(None),)
            found = item(frame, (target,), arguments.at(0), node)
            return join(() if found == UNKNOWN else found, default) or UNKNOWN
        case "values":
            return (frame.made("builtins.iterable", node, held(frame, (target,))),)
        case "items":
            pair = frame.made("builtins.tuple", node)
            pair.attributes = {"0": TEXT, "1": held(frame, (target,)) or UNKNOWN}
            return (frame.made("builtins.iterable", node, (pair,)),)
        case "keys":
            return (frame.made("builtins.iterable", node, UNKNOWN),)
        case "copy" | "union" | "intersection" | "difference":
            return copied(frame, (target,), node)
        case "__getitem__":
            return item(frame, (target,), arguments.at(0), node)
        case "__next__" | "send":
            writes.consume(frame, target, node)
            return held(frame, (target,)) or UNKNOWN
        case _:
            return REQUEST if is_request((target,)) else UNKNOWN


def _changed(frame: Frame, target: Instance, name: str, arguments: Arguments, node: ast.AST) -> Value:
    given = join((), *arguments.all())
    key = arguments.at(0) if name == "setdefault" else None
    content = arguments.at(1) if name == "setdefault" else given
    if name in _UPDATES:
        content = join(*[held(frame, each) or each for each in arguments.all()]) if arguments.all() else ()
    if name == "setdefault" and not frame.importing and _is_same_for_key(key or UNKNOWN, content):
        return _set_by_default(frame, target, key or UNKNOWN, content)
    writes.change(
        frame, target, node, content, key, augmented=name != "setdefault" and name not in _ADDS, whole=name in _UPDATES
    )
    if name == "update":
        for value in arguments.positional:
            for atom in value:
                if isinstance(atom, Instance):
                    target.attributes.update(atom.attributes)
    if name in _ADDS:
        if target.shared and not frame.importing:
            frame.engine.report.keep(content)
        _put(target, key_name(key) if key is not None else None, content)
    if name == "setdefault":
        return item(frame, (target,), key or UNKNOWN, node)
    return held(frame, (target,)) or UNKNOWN if name.startswith("pop") else (Const(None),)


def _is_same_for_key(key: Value, content: Value) -> bool:
    return not is_request(content) or (is_request(key) and Tag.REQUEST not in content)


def _set_by_default(frame: Frame, target: Instance, key: Value, content: Value) -> Value:
    """The first one to come puts there what everybody would put there."""
    for atom in content:
        if isinstance(atom, Instance) and target.shared:
            atom.shared = True
    if target.shared:
        frame.engine.report.keep(content)
    writes.keep(content, target.home)
    _put(target, key_name(key), content)
    return join(held(frame, (target,)), content)
