"""What is known on the way to a statement: the locks that are held, and the state that was found to be empty."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from polylambda.check.static import guards, names
from polylambda.check.static.values import Class, Function, Instance, Member, OfKey, Package, Value, is_request

if TYPE_CHECKING:
    from polylambda.check.static.frame import Frame

THREAD_LOCKS = frozenset(
    {
        "threading.Lock",
        "threading.RLock",
        "threading.Condition",
        "threading.Semaphore",
        "threading.BoundedSemaphore",
        "multiprocessing.Lock",
        "multiprocessing.RLock",
        "_thread.lock",
    }
)
TASK_LOCKS = frozenset(
    {"asyncio.Lock", "asyncio.Condition", "anyio.Lock", "asyncio.Semaphore", "asyncio.BoundedSemaphore"}
)
LOCKS = THREAD_LOCKS | TASK_LOCKS
_LOCK_FIX = "use asyncio.Lock with `async with`, or do what needs the lock in asyncio.to_thread"
_ASKS = frozenset({"len", "bool", "getattr", "hasattr", "isinstance"})
_NOTHING: frozenset[object] = frozenset()


def locks_in(value: Value) -> tuple[Instance, ...]:
    """Return the locks that a value may be."""
    return tuple(atom for atom in value if isinstance(atom, Instance) and atom.type_name in LOCKS)


def take(frame: Frame, value: Value, node: ast.AST, *, awaiting: bool = False) -> None:
    """Note that a lock is waited for, and held from now on."""
    for lock in locks_in(value):
        if lock.type_name in THREAD_LOCKS and frame.loop and not frame.importing and not awaiting and lock.shared:
            frame.waits.append((lock, node))
        frame.locks = (*frame.locks, lock)


def leave(frame: Frame, value: Value) -> None:
    """Note that a lock is given back."""
    for lock in locks_in(value):
        if lock in frame.locks:
            held = list(frame.locks)
            held.remove(lock)
            frame.locks = tuple(held)


def note_await(frame: Frame) -> None:
    """Note that other tasks run here: a lock of threads that is held now stops whoever waits for it, and the loop."""
    if frame.importing:
        return
    guards.note_await(frame)
    for lock, taken in frame.waits:
        if lock in frame.locks:
            what = lock.home.what if lock.home is not None else "a lock of threads"
            message = f"{what} ({lock.type_name}) is held across an await: whoever waits for it stops the event loop"
            frame.engine.report.add(frame, "LMI305", frame.site(taken), message, _LOCK_FIX)


def state_in(frame: Frame, node: ast.expr) -> frozenset[object]:
    """Return the shared state that an expression reads."""
    match node:
        case ast.Name(id=name):
            return _named(frame, name)
        case ast.Attribute():
            return _attribute(frame, node)
        case ast.Call(func=ast.Attribute(value=inner), args=[key, *_]) if is_request(frame.value(key)):
            return _of_key(state_in(frame, inner))
        case ast.Call(func=ast.Name(id=name), args=[first, *_]) if name in _ASKS:
            return _named_attribute(frame, name, node, first) | state_in(frame, first)
        case ast.Subscript(value=inner, slice=key) if is_request(frame.value(key)):
            return _of_key(state_in(frame, inner))
        case (
            ast.Call(func=ast.Attribute(value=inner))
            | ast.Subscript(value=inner)
            | ast.Await(value=inner)
            | ast.NamedExpr(value=inner)
        ):
            return state_in(frame, inner)
        case ast.Call():
            return frozenset(_shared(frame.value(node)))
        case _:
            return _NOTHING


def _named(frame: Frame, name: str) -> frozenset[object]:
    scope = names.scope_of(frame, name)
    if scope is None:
        return _NOTHING
    found = _shared(scope.variables[name])
    if scope.shared:
        found.add((id(scope), name))
    return frozenset(found) | frame.sources.get(name, _NOTHING)


def _attribute(frame: Frame, node: ast.Attribute) -> frozenset[object]:
    found = _shared(frame.value(node))
    for atom in frame.value(node.value):
        if isinstance(atom, Package) and atom.module.scope is not None:
            found.add((id(atom.module.scope), node.attr))
        elif isinstance(atom, Instance | Class | Function) and atom.shared:
            found.add((id(atom), node.attr))
        elif isinstance(atom, Member) and atom.owner.shared:
            found.add((id(atom.owner), node.attr))
    return frozenset(found)


def _named_attribute(frame: Frame, asks: str, node: ast.Call, first: ast.expr) -> frozenset[object]:
    if asks not in ("getattr", "hasattr") or len(node.args) < 2:
        return _NOTHING
    owners = [atom for atom in frame.value(first) if isinstance(atom, Instance | Class | Function) and atom.shared]
    if isinstance(node.args[1], ast.Constant):
        return frozenset((id(atom), node.args[1].value) for atom in owners)
    found = frozenset[object](id(atom) for atom in owners)
    return _of_key(found) if is_request(frame.value(node.args[1])) else found


def _shared(value: Value) -> set[object]:
    return {id(atom) for atom in value if isinstance(atom, Instance) and atom.shared}


def empty_when(frame: Frame, test: ast.expr, outcome: bool) -> frozenset[object]:
    """Return the shared state that is empty, or has no such key, when a test comes out this way."""
    match test:
        case ast.UnaryOp(op=ast.Not(), operand=inner):
            return empty_when(frame, inner, not outcome)
        case ast.BoolOp(values=values):
            found: set[object] = set()
            for each in values:
                found |= empty_when(frame, each, outcome)
            return frozenset(found)
        case ast.Compare(left=left, ops=[operator], comparators=[right]):
            match operator:
                case ast.Is() | ast.Eq() if _is_nothing(right):
                    return state_in(frame, left) if outcome else _NOTHING
                case ast.IsNot() | ast.NotEq() | ast.Gt() if _is_nothing(right):
                    return _NOTHING if outcome else state_in(frame, left)
                case ast.NotIn():
                    return _without(frame, left, right) if outcome else _NOTHING
                case ast.In():
                    return _NOTHING if outcome else _without(frame, left, right)
                case ast.Lt() | ast.LtE() | ast.Gt() | ast.GtE():
                    # `expires < now` says that what is there is used up.
                    return _of_key(state_in(frame, left) | state_in(frame, right))
                case _:
                    return _NOTHING
        case _:
            return _NOTHING if outcome else state_in(frame, test)


def _is_nothing(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value in (None, 0, False, "")


def _without(frame: Frame, key: ast.expr, table: ast.expr) -> frozenset[object]:
    found = state_in(frame, table)
    return _of_key(found) if is_request(frame.value(key)) else found


def _of_key(state: frozenset[object]) -> frozenset[object]:
    return frozenset([each if isinstance(each, OfKey) else OfKey(each) for each in state])
