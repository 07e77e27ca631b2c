"""Writing what invocations share: when it is wrong, and what to say about it."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

from polylambda.check.finding import Mode
from polylambda.check.static import guards
from polylambda.check.static.report import finding, modes_of
from polylambda.check.static.values import (
    Class,
    Const,
    Function,
    Home,
    Instance,
    OfKey,
    Tag,
    Value,
    is_request,
)

if TYPE_CHECKING:
    from polylambda.check.static.frame import Frame, Scope

_FIXES = {
    "LMI101": "pass it as an argument and return it, or keep it in a contextvars.ContextVar",
    "LMI102": "make it an attribute of an instance that belongs to the invocation",
    "LMI103": "make it inside of the function, or keep it in a contextvars.ContextVar",
    "LMI104": "pass it as an argument and return it, or keep it in a contextvars.ContextVar",
    "LMI105": "key the cache on what the value depends on, or compute it for every invocation",
    "LMI106": "pass it as an argument, or make the object anew for every invocation",
    "LMI107": "make it anew for every invocation, or read it into a tuple at import",
    "B006": "use None as the default, and make the object inside of the function",
}
_LOCKED = frozenset({"LMI101", "LMI102", "LMI103", "LMI104", "LMI106"})
_LOCK = "; if it must be shared, hold one lock around reading and writing it"
_TASKS = frozenset({"asyncio.Task", "asyncio.Future", "concurrent.futures.Future"})


def keep(value: Value, home: Home | None, *, escaping: bool = False) -> None:
    """Note where the objects of a value live from now on; `escaping`: others can get at them there."""
    if home is None:
        return
    for atom in value:
        if isinstance(atom, Instance):
            if escaping:
                atom.shared = True
            if atom.shared and (atom.home is None or (home.firm and not atom.home.firm)):
                atom.home = home


def keep_on(frame: Frame, value: Value, home: Home | None) -> None:
    """Note where the objects of a value live from now on, for others too.

    What is made once becomes everybody's; what each invocation stores is reported there, and stays its own otherwise.
    """
    keep(value, home, escaping=not frame.importing and bool(frame.empty))
    if not frame.importing:
        frame.engine.report.keep(value)


def inherit(frame: Frame, parent: Instance, value: Value) -> Value:
    """Note that what a value has was got out of `parent`; return the value."""
    passed = frame.given.get(parent)
    declared = _is_declared(parent)
    for atom in value:
        if isinstance(atom, Instance) and atom.shared and atom is not parent:
            if parent.home is not None and (atom.home is None or (parent.home.firm and not atom.home.firm)):
                atom.home = parent.home
            if passed is not None:
                frame.given.setdefault(atom, passed)
            atom.declared |= declared
    return value


def rebind(frame: Frame, scope: Scope, name: str, value: Value, node: ast.AST, *, augmented: bool = False) -> None:
    """A global or a closure's variable gets another value."""
    home = scope.home_of(name)
    if scope.shared and home is not None:
        _judge(frame, _Write(home, node, value, frozenset({(id(scope), name)}), augmented=augmented))


def change(
    frame: Frame,
    target: Instance,
    node: ast.AST,
    value: Value = (),
    key: Value | None = None,
    *,
    augmented: bool = False,
    whole: bool = False,
) -> None:
    """The contents of an object are changed: an element, or the whole."""
    if frame.importing or not target.shared:
        return
    if any(isinstance(atom, Instance) and atom.type_name in _TASKS for atom in value):
        return  # running tasks are held so that they are not collected
    keys = frozenset[object]({id(target)})
    _judge(frame, _Write(_home(target), node, value, keys, "is changed", key, augmented, whole, target))


def set_attribute(
    frame: Frame,
    target: Instance | Class | Function,
    name: str,
    node: ast.AST,
    value: Value,
    *,
    augmented: bool = False,
) -> None:
    """An attribute of an object, a class or a function is set or deleted."""
    if frame.importing or not target.shared or (isinstance(target, Class) and target.is_declared()):
        return
    home = _home_of_attribute(target, name)
    if isinstance(target, Instance) and target.type_name == "threading.local" and frame.engine.mode is Mode.THREAD:
        return
    keys = frozenset[object]({(id(target), name)})
    verb = "is changed" if home.rule == "B006" else "is written"
    holder = target if isinstance(target, Instance) else None
    _judge(frame, _Write(home, node, value, keys, verb, augmented=augmented, target=holder))


def _home_of_attribute(target: Instance | Class | Function, name: str) -> Home:
    if isinstance(target, Function):
        return Home("LMI104", f"attribute `{name}` of function `{target.name}`", name)
    if isinstance(target, Class):
        return Home("LMI102", f"class attribute `{target.name}.{name}`", name)
    if target.type_name == "threading.local":
        kept = _home(target)
        return Home(kept.rule, f"`{kept.name}.{name}`, thread-local state that all tasks share,", name)
    if target.home is not None and target.home.rule == "B006":
        return target.home
    return Home("LMI106", f"attribute `{name}` of {described(target)}", name)


def set_module_attribute(frame: Frame, scope: Scope, name: str, module: str, node: ast.AST, value: Value) -> None:
    """An attribute of another module of the project is set."""
    home = Home("LMI101", f"global `{name}` of module `{module}`", name)
    _judge(frame, _Write(home, node, value, frozenset({(id(scope), name)})))


def described(target: Instance) -> str:
    """Say which object it is, and where it lives."""
    kind = target.type_name.rpartition(".")[2].lstrip("?")
    if target.home is None or not target.home.firm:
        return f"a shared `{kind}` object"
    return f"the shared `{kind}` object in {target.home.what}"


def _home(target: Instance) -> Home:
    if target.home is not None:
        return target.home
    return Home("LMI101", f"a shared {target.type_name.rpartition('.')[2]} made at import", "it")


@dataclass(frozen=True, slots=True)
class _Write:
    """A write of something that may be shared.

    Attributes:
        keys: what is written, as guards know it.
        key: of the element that is written, where there is one.
        augmented: what was there before matters.
        whole: everything in it is written.
        target: the object that is changed.
    """

    home: Home
    node: ast.AST
    value: Value
    keys: frozenset[object]
    verb: str = "is written"
    key: Value | None = None
    augmented: bool = False
    whole: bool = False
    target: Instance | None = None


def _judge(frame: Frame, write: _Write) -> None:
    if frame.importing:
        return
    if not write.augmented:
        frame.engine.report.filled |= write.keys
    if frame.quiet or _is_declared(write.target):
        return
    if frame.is_guarded():
        _note_guarded(frame, write)
        return
    if _is_harmless(frame, write):
        return
    if _is_same_each_time(frame, write):
        return
    if not write.augmented and _is_empty(frame, write) and _fills_for_all(write):
        message = f"{write.home.what} is filled from the first request, and answers all others"
        _tell(frame, write, "LMI105", message)
    else:
        _tell(frame, write, write.home.rule, f"{write.home.what} {write.verb} by every invocation")


def _note_guarded(frame: Frame, write: _Write) -> None:
    if write.augmented or _is_of_key(write):
        return
    if write.key is not None or write.whole or write.verb == "is written":
        one = write.key[0] if write.key is not None and len(write.key) == 1 else None
        part = str(one.value) if isinstance(one, Const) else None
        guards.note_write(frame, write.home, write.keys, part, write.value, write.node)


def _is_same_each_time(frame: Frame, write: _Write) -> bool:
    """A flag that is only ever set to one constant: noted, in case that something else is written there, too."""
    report, value, key = frame.engine.report, write.value, write.key or ()
    thing = f"{sorted(map(str, write.keys))} {key}"
    is_set = write.key is not None or write.verb == "is written"
    is_constant = is_set and len(value) == 1 and isinstance(value[0], Const) and all(isinstance(a, Const) for a in key)
    if write.augmented or write.target in frame.given or frame.decided or not is_constant:
        report.add_constant(thing, f"not constant, {frame.place(write.node)}", None)
        return False
    if frame.once():
        report.add_constant(thing, str(value), None)
        return False
    message = f"{write.home.what} {write.verb} by every invocation"
    fix = _FIXES[write.home.rule] + (_LOCK if write.home.rule in _LOCKED else "")
    found = finding(write.home.rule, frame.place(write.node), message, fix, modes_of(write.home.rule), frame.trail)
    report.add_constant(thing, str(value), found)
    return True


def _is_harmless(frame: Frame, write: _Write) -> bool:
    node, value = write.node, write.value
    if write.augmented:
        # Between tasks, what is counted without an await is counted right; and what is out of date may go.
        is_expired = isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Del) and _was_asked(frame, write.keys)
        return is_expired or (_is_one_step(frame, node) and not is_request(value))
    if _is_empty(frame, write):
        # Filled once: whoever comes first puts there what everybody would.
        return not is_request(value) or (_is_of_key(write) and Tag.REQUEST not in value)
    return bool(value) and bool(write.keys & frame.tested) and all(isinstance(atom, Const) for atom in value)


def _is_empty(frame: Frame, write: _Write) -> bool:
    return any(each in frame.empty or OfKey(each) in frame.empty for each in write.keys)


def _is_of_key(write: _Write) -> bool:
    return write.key is not None and is_request(write.key)


def _fills_for_all(write: _Write) -> bool:
    if _is_of_key(write):
        return False  # what this caller said, for whoever asks with the same key
    return write.key is not None or write.whole or write.verb == "is written"


def _tell(frame: Frame, write: _Write, rule: str, message: str) -> None:
    report, target = frame.engine.report, write.target
    fix = _FIXES[rule] + (_LOCK if rule in _LOCKED else "")
    once = frozenset[object]() if is_request(write.value) else frame.once()
    passed = frame.given.get(target) if target is not None else None
    if write.home.rule == "B006" and target is not None:
        message = f"mutable default argument {write.home.name} is changed, and all calls without the argument share it"
        report.add(frame, "B006", target.site, message, _FIXES["B006"])
    elif passed is not None:
        message = f"{write.home.what} {write.verb} by the function that it is passed to"
        report.add(frame, rule, passed.site, message, fix, trail=passed.trail, once=once)
    else:
        report.add(frame, rule, frame.place(write.node), message, fix, once=once)


def _was_asked(frame: Frame, keys: frozenset[object]) -> bool:
    return any(each in frame.tested or OfKey(each) in frame.tested for each in keys)


def _is_one_step(frame: Frame, node: ast.AST) -> bool:
    """Between tasks, what is counted without an await is counted right."""
    return (
        frame.engine.mode is Mode.TASK
        and isinstance(node, ast.AugAssign)
        and not any(isinstance(each, ast.Await) for each in ast.walk(node))
    )


def _is_declared(target: Instance | None) -> bool:
    if target is None:
        return False
    return target.declared or (isinstance(target.kind, Class) and target.kind.is_declared())


def consume(frame: Frame, target: Instance, node: ast.AST) -> None:
    """The next of an iterator, or the next of a file, is taken."""
    if frame.importing or not target.shared or frame.quiet or frame.is_guarded():
        return
    what = target.home.what if target.home is not None else "an iterator made at import"
    passed = frame.given.get(target)
    message = f"{what} has one position, and every invocation moves it"
    site = passed.site if passed is not None else frame.place(node)
    trail = passed.trail if passed is not None else frame.trail
    frame.engine.report.add(frame, "LMI107", site, message, _FIXES["LMI107"], trail=trail)
