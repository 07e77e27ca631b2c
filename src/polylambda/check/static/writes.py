"""Writing what invocations share: when it is wrong, and what to say about it."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from polylambda.check.finding import Mode
from polylambda.check.static.values import (
    Class,
    Const,
    Function,
    Home,
    Instance,
    OfKey,
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
    """Note where the objects of a value live from now on, for others too."""
    keep(value, home, escaping=not frame.importing)
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
    if not scope.shared or home is None:
        return
    key = (id(scope), name)
    _judge(frame, home, node, value, frozenset({key}), None, augmented, "is written")


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
    _judge(
        frame, _home(target), node, value, frozenset({id(target)}), key, augmented, "is changed", target, whole=whole
    )


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
    if frame.importing or not target.shared:
        return
    key = frozenset({(id(target), name)})
    if isinstance(target, Function):
        home = Home("LMI104", f"attribute `{name}` of function `{target.name}`", name)
        _judge(frame, home, node, value, key, None, augmented, "is written")
    elif isinstance(target, Class):
        if "safe" not in target.traits:
            home = Home("LMI102", f"class attribute `{target.name}.{name}`", name)
            _judge(frame, home, node, value, key, None, augmented, "is written")
    elif target.type_name == "threading.local":
        if frame.engine.mode is not Mode.THREAD:
            kept = _home(target)
            home = Home(kept.rule, f"`{kept.name}.{name}`, thread-local state that all tasks share,", name)
            _judge(frame, home, node, value, key, None, augmented, "is written", target)
    elif target.home is not None and target.home.rule == "B006":
        _judge(frame, target.home, node, value, key, None, augmented, "is changed", target)
    else:
        home = Home("LMI106", f"attribute `{name}` of {described(target)}", name)
        _judge(frame, home, node, value, key, None, augmented, "is written", target)


def set_module_attribute(frame: Frame, scope: Scope, name: str, module: str, node: ast.AST, value: Value) -> None:
    """An attribute of another module of the project is set."""
    if frame.importing:
        return
    home = Home("LMI101", f"global `{name}` of module `{module}`", name)
    _judge(frame, home, node, value, frozenset({(id(scope), name)}), None, False, "is written")


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


def _judge(
    frame: Frame,
    home: Home,
    node: ast.AST,
    value: Value,
    keys: frozenset[object],
    key: Value | None,
    augmented: bool,
    verb: str,
    target: Instance | None = None,
    *,
    whole: bool = False,
) -> None:
    if frame.importing:
        return
    report = frame.engine.report
    if not augmented:
        report.filled |= keys
    if frame.quiet or _is_declared(target) or frame.is_guarded():
        return
    if _is_one_step(frame, node) and augmented and not is_request(value):
        return
    rule = home.rule
    message = f"{home.what} {verb} by every invocation"
    once = frozenset[object]() if is_request(value) else frame.once()
    if not augmented and any(each in frame.empty or OfKey(each) in frame.empty for each in keys):
        # Filled once: harmless when whoever comes first would put the same there.
        if not is_request(value) or (key is not None and is_request(key)):
            return
        if key is not None or verb == "is written" or whole:
            rule, message = "LMI105", f"{home.what} is filled from the first request, and answers all others"
    elif not augmented and keys & frame.tested and value and all(isinstance(atom, Const) for atom in value):
        return  # a flag that goes one way
    fix = _FIXES[rule] + (_LOCK if rule in ("LMI101", "LMI102", "LMI103", "LMI104", "LMI106") else "")
    passed = frame.given.get(target) if target is not None else None
    if home.rule == "B006" and target is not None:
        message = f"mutable default argument {home.name} is changed, and every call without the argument shares it"
        report.add(frame, "B006", target.site, message, fix)
    elif passed is not None:
        message = f"{home.what} {verb} by the function that it is passed to"
        report.add(frame, rule, passed.site, message, fix, trail=passed.trail, once=once)
    else:
        report.add(frame, rule, frame.place(node), message, fix, once=once)


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
