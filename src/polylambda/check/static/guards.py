"""What an invocation writes under a lock, and reads when it has given the lock back: by then it may be another's."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from polylambda.check.finding import Finding, Mode
from polylambda.check.static.report import finding, modes_of
from polylambda.check.static.values import Class, Function, Instance, Member, Package, Tag, Value, is_request

if TYPE_CHECKING:
    import ast

    from polylambda.check.static.frame import Frame
    from polylambda.check.static.values import Home

_READERS = frozenset({"get", "copy", "items", "values"})
_FIX = "read it under the same lock as it is written, or keep it in a variable of the function"


@dataclass(frozen=True, slots=True)
class Guarded:
    """Something of this invocation that was written to shared state under a lock.

    Attributes:
        part: the key, where it is one element; None for all of it.
        awaited: other tasks may have run since.
    """

    finding: Finding
    locks: frozenset[int]
    part: str | None
    awaited: bool = False


def note_write(
    frame: Frame, home: Home, keys: frozenset[object], part: str | None, value: Value, node: ast.AST
) -> None:
    """Note what is written while a lock is held."""
    if home.rule == "B006" or frame.empty or keys & frame.tested or not _is_own(value):
        return
    message = (
        f"{home.what} is written under a lock, and read after the lock was given back: it may be another's by then"
    )
    found = finding(home.rule, frame.place(node), message, _FIX, modes_of(home.rule), frame.trail)
    entry = Guarded(found, frozenset([id(lock) for lock in frame.locks]), part)
    known = frame.engine.guarded
    for key in keys:
        others = tuple(each for each in known.get(key, ()) if each.part != part)
        known[key] = (*others, entry)


def _is_own(value: Value) -> bool:
    return any(atom is Tag.REQUEST or (isinstance(atom, Instance) and is_request((atom,))) for atom in value)


def note_read(frame: Frame, key: object, part: str | None = None) -> None:
    """Note that shared state is read."""
    engine = frame.engine
    for each in engine.guarded.get(key, ()):
        is_held = any(id(lock) in each.locks for lock in frame.locks)
        is_other = part is not None and each.part is not None and part != each.part
        if not is_held and not is_other and (each.awaited or engine.mode is not Mode.TASK):
            engine.report.note(each.finding)


def note_attribute(frame: Frame, owners: Value, name: str) -> None:
    """Note that an attribute of shared objects, or modules, is read."""
    if not frame.engine.guarded:
        return
    for atom in owners:
        if isinstance(atom, Instance | Class | Function):
            note_read(frame, (id(atom), name))
        elif isinstance(atom, Package) and atom.module.scope is not None:
            note_read(frame, (id(atom.module.scope), name))


def note_item(frame: Frame, owners: Value, part: str | None = None) -> None:
    """Note that what is in shared objects is read."""
    if not frame.engine.guarded:
        return
    for atom in owners:
        if isinstance(atom, Instance):
            note_read(frame, id(atom), part)


def note_call(frame: Frame, callee: Value, part: str | None) -> None:
    """Note that a method reads what is in a shared object."""
    if frame.engine.guarded:
        for atom in callee:
            if isinstance(atom, Member) and atom.path in _READERS:
                note_read(frame, id(atom.owner), part if atom.path == "get" else None)


def note_await(frame: Frame) -> None:
    """Note that other tasks run here."""
    engine = frame.engine
    engine.guarded = {
        key: tuple(replace(each, awaited=True) for each in entries) for key, entries in engine.guarded.items()
    }
