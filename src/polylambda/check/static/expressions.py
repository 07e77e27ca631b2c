"""What an expression is, and what happens while it is evaluated."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from polylambda.check.static import attributes, containers, functions, guards, locks
from polylambda.check.static.frame import Arguments, Frame, Scope
from polylambda.check.static.names import lookup, scope_of
from polylambda.check.static.texts import PATHS, formatted, text_of
from polylambda.check.static.values import (
    NONE,
    REQUEST,
    TEXT,
    UNKNOWN,
    Const,
    Coroutine,
    External,
    Instance,
    Super,
    Tag,
    Value,
    is_request,
    join,
)

if TYPE_CHECKING:
    from collections.abc import Callable


def evaluate(frame: Frame, node: ast.expr) -> Value:
    """Return what an expression is; unknown where nothing better can be said."""
    kind: Callable[[Frame, Any], Value] | None = _KINDS.get(type(node))
    return UNKNOWN if kind is None else kind(frame, node)


def arguments_of(frame: Frame, node: ast.Call) -> Arguments:
    """Return what a call passes."""
    found = Arguments()
    for each in node.args:
        if isinstance(each, ast.Starred):
            found.partial = True
            found.rest = join(found.rest, containers.elements_of(frame, frame.value(each.value), each))
        elif found.partial:
            found.rest = join(found.rest, frame.value(each))
        else:
            found.positional.append(frame.value(each))
    for keyword in node.keywords:
        value = frame.value(keyword.value)
        if keyword.arg is None:
            found.partial = True
            found.rest = join(found.rest, containers.elements_of(frame, value, node))
        else:
            found.named[keyword.arg] = value
    return found


def _constant(_frame: Frame, node: ast.Constant) -> Value:
    return (Const(node.value),) if node.value is not ... else UNKNOWN


def _name(frame: Frame, node: ast.Name) -> Value:
    if frame.engine.guarded:
        scope = scope_of(frame, node.id)
        if scope is not None:
            guards.note_read(frame, (id(scope), node.id))
    return lookup(frame, node.id)


def _attribute(frame: Frame, node: ast.Attribute) -> Value:
    owners = frame.value(node.value)
    guards.note_attribute(frame, owners, node.attr)
    return attributes.load(frame, owners, node.attr, node)


def _call(frame: Frame, node: ast.Call) -> Value:
    if isinstance(node.func, ast.Name) and node.func.id == "super" and frame.function is not None:
        return _super(frame)
    callee, arguments = frame.value(node.func), arguments_of(frame, node)
    guards.note_call(frame, callee, containers.key_name(arguments.at(0)))
    return frame.call(callee, arguments, node)


def _super(frame: Frame) -> Value:
    function = frame.function
    if function is None or function.owner is None:
        return UNKNOWN
    own = function.node.args.posonlyargs + function.node.args.args
    return (Super(function.owner, lookup(frame, own[0].arg)),) if own else UNKNOWN


def _await(frame: Frame, node: ast.Await) -> Value:
    locks.note_await(frame)
    return awaited(frame.value(node.value))


def awaited(value: Value) -> Value:
    """Return what awaiting a value gives."""
    result: Value = ()
    for atom in value:
        if isinstance(atom, Coroutine):
            result = join(result, atom.result)
        elif isinstance(atom, Instance) and atom.type_name in containers.AWAITABLE:
            result = join(result, atom.elements or UNKNOWN)
        elif isinstance(atom, Instance | External):
            result = join(result, (atom,))  # a pool that is awaited gives itself
        else:
            result = join(result, (atom,) if isinstance(atom, Tag) else UNKNOWN)
    return result or UNKNOWN


def _boolean(frame: Frame, node: ast.BoolOp) -> Value:
    return join(*[frame.value(each) for each in node.values])


def _binary(frame: Frame, node: ast.BinOp) -> Value:
    left, right = frame.value(node.left), frame.value(node.right)
    if isinstance(node.op, ast.Add | ast.Mult | ast.BitOr):
        kinds = [atom for atom in left if isinstance(atom, Instance) and atom.type_name in containers.BUILTIN]
        if kinds:
            made = frame.made(kinds[0].type_name, node, containers.held(frame, left))
            made.elements = join(made.elements, containers.held(frame, right))
            return (made,)
    if isinstance(node.op, ast.Div):
        paths = [atom for atom in (*left, *right) if isinstance(atom, Instance) and atom.type_name in PATHS]
        if paths:
            made = frame.made("pathlib.Path", node)
            made.arguments = text_of([left, (Const("/"),), right])
            return (made,)
    if is_request(left, 1) or is_request(right, 1):
        return REQUEST
    return formatted(left, right) if isinstance(node.op, ast.Mod) else text_of([left, right])


def _unary(frame: Frame, node: ast.UnaryOp) -> Value:
    value = frame.value(node.operand)
    if isinstance(node.op, ast.Not):
        return REQUEST if is_request(value) else (Const(True), Const(False))
    return value


def _compare(frame: Frame, node: ast.Compare) -> Value:
    values = [frame.value(node.left), *[frame.value(each) for each in node.comparators]]
    return REQUEST if any(is_request(each) for each in values) else UNKNOWN


def _conditional(frame: Frame, node: ast.IfExp) -> Value:
    frame.value(node.test)
    return join(frame.value(node.body), frame.value(node.orelse))


def _lambda(frame: Frame, node: ast.Lambda) -> Value:
    return (functions.define(frame, node, "<lambda>"),)


def _sequence(frame: Frame, node: ast.List | ast.Tuple | ast.Set) -> Value:
    kind = {ast.List: "builtins.list", ast.Tuple: "builtins.tuple", ast.Set: "builtins.set"}[type(node)]
    made = frame.made(kind, node)
    known = True
    for position, each in enumerate(node.elts):
        if isinstance(each, ast.Starred):
            made.elements = join(made.elements, containers.elements_of(frame, frame.value(each.value), each))
            known = False
            continue
        value = frame.value(each)
        if known and not isinstance(node, ast.Set) and position < 16:
            made.attributes[str(position)] = value
        else:
            made.elements = join(made.elements, value)
    return (made,)


def _dict(frame: Frame, node: ast.Dict) -> Value:
    made = frame.made("builtins.dict", node)
    for key, each in zip(node.keys, node.values, strict=True):
        value = frame.value(each)
        if key is None:
            made.elements = join(made.elements, containers.elements_of(frame, value, node))
            continue
        name = containers.key_name(frame.value(key))
        if name is None or len(made.attributes) > 200:
            made.elements = join(made.elements, value)
        else:
            made.attributes[name] = value
    return (made,)


def _subscript(frame: Frame, node: ast.Subscript) -> Value:
    value = frame.value(node.value)
    if isinstance(node.slice, ast.Slice):
        for part in (node.slice.lower, node.slice.upper, node.slice.step):
            if part is not None:
                frame.value(part)
        return containers.copied(frame, value, node)
    key = frame.value(node.slice)
    guards.note_item(frame, value, containers.key_name(key))
    return containers.item(frame, value, key, node)


def _formatted(frame: Frame, node: ast.JoinedStr) -> Value:
    parts = [frame.value(each.value if isinstance(each, ast.FormattedValue) else each) for each in node.values]
    return text_of(parts) if parts else TEXT


def _comprehension(frame: Frame, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp) -> Value:
    outer = frame.scope
    frame.scope = Scope("function", outer.name, outer, frame.importing, globals=outer.globals)
    try:
        for generator in node.generators:
            source = containers.elements_of(frame, frame.value(generator.iter), generator.iter)
            containers.bind(frame, generator.target, source)
            for test in generator.ifs:
                frame.value(test)
        if isinstance(node, ast.DictComp):
            frame.value(node.key)
            made = frame.made("builtins.dict", node, frame.value(node.value))
        else:
            kind = _KINDS_MADE.get(type(node), "builtins.generator")
            made = frame.made(kind, node, frame.value(node.elt))
    finally:
        frame.scope = outer
    return (made,)


def _named(frame: Frame, node: ast.NamedExpr) -> Value:
    value = frame.value(node.value)
    containers.bind(frame, node.target, value)
    frame.sources[node.target.id] = locks.state_in(frame, node.value)
    return value


def _yield(frame: Frame, node: ast.Yield) -> Value:
    value = frame.value(node.value) if node.value is not None else NONE
    frame.yielded = join(frame.yielded, value)
    frame.locks_at_yield = frame.locks
    return UNKNOWN


def _yield_from(frame: Frame, node: ast.YieldFrom) -> Value:
    value = frame.value(node.value)
    frame.yielded = join(frame.yielded, containers.elements_of(frame, value, node.value))
    return UNKNOWN


def _starred(frame: Frame, node: ast.Starred) -> Value:
    return frame.value(node.value)


_KINDS_MADE: dict[type[ast.AST], str] = {ast.ListComp: "builtins.list", ast.SetComp: "builtins.set"}
_KINDS: dict[type[ast.AST], Callable[[Frame, Any], Value]] = {
    ast.Constant: _constant,
    ast.Name: _name,
    ast.Attribute: _attribute,
    ast.Call: _call,
    ast.Await: _await,
    ast.BoolOp: _boolean,
    ast.BinOp: _binary,
    ast.UnaryOp: _unary,
    ast.Compare: _compare,
    ast.IfExp: _conditional,
    ast.Lambda: _lambda,
    ast.List: _sequence,
    ast.Tuple: _sequence,
    ast.Set: _sequence,
    ast.Dict: _dict,
    ast.Subscript: _subscript,
    ast.JoinedStr: _formatted,
    ast.ListComp: _comprehension,
    ast.SetComp: _comprehension,
    ast.DictComp: _comprehension,
    ast.GeneratorExp: _comprehension,
    ast.NamedExpr: _named,
    ast.Yield: _yield,
    ast.YieldFrom: _yield_from,
    ast.Starred: _starred,
}
