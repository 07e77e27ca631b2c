"""What statements do."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from polylambda.check.static import (
    attributes,
    containers,
    expressions,
    functions,
    guards,
    imports,
    locks,
    names,
    writes,
)
from polylambda.check.static.branches import merged, run_branches
from polylambda.check.static.frame import Arguments, Frame
from polylambda.check.static.values import (
    NONE,
    UNKNOWN,
    Class,
    Coroutine,
    Instance,
    Value,
    is_request,
    join,
)

if TYPE_CHECKING:
    from collections.abc import Callable


def run(frame: Frame, body: list[ast.stmt]) -> bool:
    """Run statements; say whether what follows them is reached."""
    empty, tested = frame.empty, frame.tested
    reached = True
    for statement in body:
        kind: Callable[[Frame, Any], bool | None] | None = _KINDS.get(type(statement))
        if kind is None:
            continue
        outer = frame.statement
        frame.statement = statement
        ends = kind(frame, statement) is False
        frame.statement = outer
        if ends:
            reached = False
            break
    frame.empty, frame.tested = empty, tested
    return reached


def _if(frame: Frame, node: ast.If) -> bool:
    if _is_for_types(node.test):
        return run(frame, node.orelse)
    outer = frame.decided
    frame.decided = outer or is_request(frame.value(node.test))
    when, otherwise = locks.empty_when(frame, node.test, True), locks.empty_when(frame, node.test, False)
    tested = when | otherwise
    reached: dict[bool, bool] = {}

    def branch(outcome: bool) -> bool:
        empty, before = frame.empty, frame.tested
        frame.empty, frame.tested = empty | (when if outcome else otherwise), before | tested
        reached[outcome] = run(frame, node.body if outcome else node.orelse)
        frame.empty, frame.tested = empty, before
        return reached[outcome]

    ends = run_branches(frame, lambda: branch(True), lambda: branch(False))
    frame.decided = outer
    if not reached[True]:
        frame.empty |= otherwise
        frame.tested |= tested
    return ends


def _is_for_types(test: ast.expr) -> bool:
    match test:
        case ast.Name(id="TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING"):
            return True
        case _:
            return False


def _for(frame: Frame, node: ast.For | ast.AsyncFor) -> None:
    source = frame.value(node.iter)
    elements = containers.elements_of(frame, source, node.iter)

    def once() -> bool:
        if isinstance(node, ast.AsyncFor):
            locks.note_await(frame)
        containers.bind(frame, node.target, elements)
        run(frame, node.body)
        return True

    run_branches(frame, lambda: True, once)
    run(frame, node.orelse)


def _while(frame: Frame, node: ast.While) -> None:
    frame.value(node.test)

    def once() -> bool:
        run(frame, node.body)
        return True

    run_branches(frame, lambda: True, once)
    run(frame, node.orelse)


def _try(frame: Frame, node: ast.Try | ast.TryStar) -> bool:
    asked: frozenset[object] = frozenset()
    if any(_is_missing(handler.type) for handler in node.handlers):
        for statement in node.body[:2]:
            expression = getattr(statement, "value", None)
            if isinstance(expression, ast.expr):
                asked |= locks.state_in(frame, expression)
    start = dict(frame.scope.variables)

    def body() -> bool:
        return run(frame, node.body) and run(frame, node.orelse)

    def handled(handler: ast.ExceptHandler) -> bool:
        frame.scope.variables = merged([frame.scope.variables, start])
        if handler.type is not None:
            frame.value(handler.type)
        if handler.name:
            frame.scope.variables[handler.name] = UNKNOWN
        empty = frame.empty
        frame.empty |= asked
        reached = run(frame, handler.body)
        frame.empty = empty
        return reached

    reached = run_branches(frame, body, *[lambda handler=handler: handled(handler) for handler in node.handlers])
    after = dict(frame.scope.variables)
    ends = run(frame, node.finalbody)
    if not reached and frame.scope.kind == "function":
        frame.scope.variables = after
    if not node.handlers or ends:
        return reached and ends
    return False


def _is_missing(kind: ast.expr | None) -> bool:
    shown = ast.unparse(kind) if kind is not None else ""
    return any(name in shown for name in ("KeyError", "LookupError", "AttributeError", "NameError", "IndexError"))


def _with(frame: Frame, node: ast.With | ast.AsyncWith) -> bool:
    before = frame.locks
    inside: list[Value] = []
    for part in node.items:
        value = frame.value(part.context_expr)
        if isinstance(node, ast.AsyncWith):
            locks.note_await(frame)
        locks.take(frame, value, part.context_expr, awaiting=isinstance(node, ast.AsyncWith))
        frame.engine.uses(frame, value)
        frame.engine.report.joined.update(atom.site for atom in value if isinstance(atom, Instance))
        bound = entered(frame, value, part.context_expr)
        inside.append(value)
        if part.optional_vars is not None:
            containers.bind(frame, part.optional_vars, bound)
    reached = run(frame, node.body)
    for value in reversed(inside):
        for name in ("__exit__", "__aexit__"):
            _call_own(frame, value, name, Arguments([NONE, NONE, NONE]), node)
    frame.locks = before
    return reached or any(_may_swallow(value) for value in inside)


def _may_swallow(value: Value) -> bool:
    return any(isinstance(atom, Instance) and "suppress" in atom.type_name for atom in value)


def entered(frame: Frame, value: Value, node: ast.AST) -> Value:
    """Return what `with value as` binds."""
    result: Value = ()
    for atom in value:
        if isinstance(atom, Coroutine):
            result = join(result, entered(frame, atom.result, node))
        elif isinstance(atom, Instance) and atom.type_name == "builtins.manager":
            result = join(result, atom.elements or UNKNOWN)
            frame.locks += atom.locks
        elif isinstance(atom, Instance) and isinstance(atom.kind, Class):
            own = _call_own(frame, (atom,), "__enter__", Arguments(), node)
            own = join(own, expressions.awaited(_call_own(frame, (atom,), "__aenter__", Arguments(), node)))
            result = join(result, own if own and own != UNKNOWN else (atom,))
        else:
            result = join(result, (atom,))
    return result or UNKNOWN


def _call_own(frame: Frame, value: Value, name: str, arguments: Arguments, node: ast.AST) -> Value:
    result: Value = ()
    for atom in value:
        if isinstance(atom, Instance) and isinstance(atom.kind, Class):
            found = atom.kind.find(name)
            if found is not None:
                result = join(result, frame.call(attributes.bound(found, (atom,)), arguments, node))
    return result


def _match(frame: Frame, node: ast.Match) -> bool:
    subject = frame.value(node.subject)

    def case(each: ast.match_case) -> bool:
        for pattern in ast.walk(each.pattern):
            name = getattr(pattern, "name", None) or getattr(pattern, "rest", None)
            if isinstance(name, str):
                frame.scope.variables[name] = subject
        if each.guard is not None:
            frame.value(each.guard)
        return run(frame, each.body)

    return run_branches(frame, lambda: True, *[lambda each=each: case(each) for each in node.cases])


def _assign(frame: Frame, node: ast.Assign) -> None:
    value = frame.value(node.value)
    empty = frame.empty
    if isinstance(node.value, ast.BoolOp) and isinstance(node.value.op, ast.Or):
        frame.empty |= locks.empty_when(frame, node.value.values[0], False)  # `made = made or make()`
    elif isinstance(node.value, ast.IfExp):
        test = node.value.test
        frame.empty |= locks.empty_when(frame, test, False) | locks.empty_when(frame, test, True)
    for target in node.targets:
        containers.bind(frame, target, value)
        if isinstance(target, ast.Name) and not frame.importing:
            frame.sources[target.id] = locks.state_in(frame, node.value)
    frame.empty = empty


def _annotated(frame: Frame, node: ast.AnnAssign) -> None:
    if node.value is None:
        if frame.scope.kind == "class" and isinstance(node.target, ast.Name):
            frame.scope.fields.append(node.target.id)
        return
    value = frame.value(node.value)
    containers.bind(frame, node.target, value)
    if frame.scope.kind == "class" and isinstance(node.target, ast.Name):
        frame.scope.fields.append(node.target.id)


def _augmented(frame: Frame, node: ast.AugAssign) -> None:
    value = frame.value(node.value)
    target = node.target
    match target:
        case ast.Name(id=name):
            old = names.lookup(frame, name)
            changed = False
            for atom in old:
                if isinstance(atom, Instance) and atom.type_name in containers.CHANGEABLE:
                    writes.change(frame, atom, node, value, augmented=True)
                    atom.elements = join(atom.elements, containers.held(frame, value))
                    changed = changed or atom.shared
            if not changed or frame.importing:
                names.store(frame, name, join(old, value), node, augmented=True)
        case ast.Attribute(value=owner, attr=name):
            holder = frame.value(owner)
            old = attributes.load(frame, holder, name, node)
            lists = [atom for atom in old if isinstance(atom, Instance) and atom.type_name in containers.CHANGEABLE]
            for atom in lists:
                writes.change(frame, atom, node, value, augmented=True)
                atom.elements = join(atom.elements, containers.held(frame, value))
            if not any(atom.shared for atom in lists):
                attributes.store(frame, holder, name, join(old, value), node, augmented=True)
        case ast.Subscript(value=owner, slice=key):
            container = frame.value(owner)
            containers.set_item(frame, container, frame.value(key), value, node, augmented=True)


def _delete(frame: Frame, node: ast.Delete) -> None:
    for target in node.targets:
        match target:
            case ast.Name(id=name):
                if name in frame.scope.globals or name in frame.scope.nonlocals:
                    names.store(frame, name, UNKNOWN, node, augmented=True)
                else:
                    frame.scope.variables.pop(name, None)
            case ast.Attribute(value=owner, attr=name):
                attributes.store(frame, frame.value(owner), name, (), node, augmented=True)
            case ast.Subscript(value=owner, slice=key):
                containers.delete_item(frame, frame.value(owner), frame.value(key), target)
            case _:
                pass


def _return(frame: Frame, node: ast.Return) -> bool:
    value = frame.value(node.value) if node.value is not None else NONE
    if isinstance(node.value, ast.Name):
        guards.note_item(frame, value)
    frame.returned = join(frame.returned, value)
    return False


def _raise(frame: Frame, node: ast.Raise) -> bool:
    if node.exc is not None:
        frame.value(node.exc)
    return False


def _jump(_frame: Frame, _node: ast.stmt) -> bool:
    return False


def _expression(frame: Frame, node: ast.Expr) -> None:
    value = frame.value(node.value)
    frame.engine.discarded(frame, value, node.value)


def _assert(frame: Frame, node: ast.Assert) -> None:
    frame.value(node.test)


def _global(frame: Frame, node: ast.Global) -> None:
    frame.scope.globals.update(node.names)


def _nonlocal(frame: Frame, node: ast.Nonlocal) -> None:
    frame.scope.nonlocals.update(node.names)


def _function(frame: Frame, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
    made = functions.define(frame, node, node.name)
    for decorator in node.decorator_list:
        if isinstance(decorator, ast.Attribute) and decorator.attr in ("setter", "deleter", "getter"):
            if decorator.attr == "setter":
                frame.scope.variables[f"{node.name}.setter"] = (made,)
            return
    value = functions.decorated(frame, made, node.decorator_list)
    if "overload" not in made.traits:
        names.store(frame, node.name, value, node)


def _class(frame: Frame, node: ast.ClassDef) -> None:
    made = functions.define_class(frame, node)
    names.store(frame, node.name, functions.decorated(frame, made, node.decorator_list), node)


_KINDS: dict[type[ast.AST], Callable[[Frame, Any], bool | None]] = {
    ast.Expr: _expression,
    ast.Assign: _assign,
    ast.AnnAssign: _annotated,
    ast.AugAssign: _augmented,
    ast.Return: _return,
    ast.If: _if,
    ast.For: _for,
    ast.AsyncFor: _for,
    ast.While: _while,
    ast.Try: _try,
    ast.TryStar: _try,
    ast.With: _with,
    ast.AsyncWith: _with,
    ast.Match: _match,
    ast.Raise: _raise,
    ast.Break: _jump,
    ast.Continue: _jump,
    ast.Assert: _assert,
    ast.Delete: _delete,
    ast.Global: _global,
    ast.Nonlocal: _nonlocal,
    ast.FunctionDef: _function,
    ast.AsyncFunctionDef: _function,
    ast.ClassDef: _class,
    ast.Import: imports.run_import,
    ast.ImportFrom: imports.run_import_from,
}
