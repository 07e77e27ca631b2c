"""Calls of code that is not the project's: what comes back, and what it calls back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polylambda.check.facts import canonical, given_by
from polylambda.check.static import attributes, calls, containers, effects, known, locks, writes
from polylambda.check.static.frame import Arguments, Call, Frame
from polylambda.check.static.texts import PATHS, text_of
from polylambda.check.static.values import (
    DERIVED,
    REQUEST,
    TEXT,
    UNKNOWN,
    Bound,
    Class,
    Function,
    Instance,
    Member,
    Tag,
    Value,
    is_request,
    join,
)

if TYPE_CHECKING:
    import ast

_ADDS_CALLBACK = ("add_done_callback", "add_callback", "call_soon", "call_later", "call_at")
_ENTERS = frozenset(
    [
        "resolve",
        "resolve_async",
        "handle",
        "handle_async",
        "handler",
        "dispatch",
        "run",
        "process",
        "execute",
        "invoke",
        "wsgi_app",
    ]
)
"""Methods by which an application calls what it was given."""
_AT_START = frozenset({"lifespan", "on_startup", "on_shutdown", "startup", "shutdown"})
_JOINS = frozenset({"join", "wait", "communicate", "shutdown", "close", "terminate", "result", "cancel"})
_RUNTIMES = frozenset({"polylambda.LambdaRuntime", "polylambda.LambdaManagedRuntime"})


def call(frame: Frame, name: str, arguments: Arguments, node: ast.AST) -> Value:
    """Return what a call of somebody else's function or class gives."""
    note_uses(frame, arguments)
    special = known.KNOWN.get(name)
    if special is not None:
        effects.apply(Call(frame, arguments, node), name)
        return special(Call(frame, arguments, node))
    if name.startswith(("builtins.str.", "builtins.bytes.")):
        return DERIVED if any(is_request(each) for each in arguments.all()) else TEXT
    if name.startswith("os.path."):
        effects.apply(Call(frame, arguments, node), name)
        return text_of(arguments.all()) if arguments.all() else TEXT
    result = made_by(frame, name, arguments, node)
    made = result[0] if result and isinstance(result[0], Instance) else None
    effects.apply(Call(frame, arguments, node), name, made)
    if made is not None:
        for each in _AT_START & arguments.named.keys():
            frame.engine.start(arguments.named[each])
        rest = {each: value for each, value in arguments.named.items() if each not in _AT_START}
        keep_callbacks(made, Arguments(arguments.positional, rest, arguments.rest))
        if canonical(name) in _RUNTIMES or name.startswith("polylambda.runtime"):
            frame.engine.registered(made, arguments)
    calls.call_back(frame, arguments, node)
    if made is None and not frame.importing:
        _hand_over(frame, arguments, node)
    return result


def _hand_over(frame: Frame, arguments: Arguments, node: ast.AST) -> None:
    """An application is passed to somebody else's function together with the event: `awsgi.response(app, event, context)`."""
    values = arguments.all()
    if not any(Tag.REQUEST in each for each in values):
        return
    for value in values:
        for atom in value:
            if isinstance(atom, Instance) and isinstance(atom.kind, str) and atom.callbacks:
                calls.enter(frame, atom, node)


def made_by(frame: Frame, name: str, arguments: Arguments, node: ast.AST) -> Value:
    """Return the object that a call of `name` gives; its type is known, or its name."""
    kind = given_by(name)
    last = name.rpartition(".")[2]
    if kind is None and last[:1].isupper() and not last.isupper():
        kind = canonical(name)
    if kind is None and not frame.importing:
        return DERIVED if any(is_request(each) for each in arguments.all()) else UNKNOWN
    made = frame.made(kind or f"?{name}", node)
    if kind == "logging.Logger":
        made.shared = True  # one for each name
    if kind in PATHS:
        made.arguments = text_of(arguments.all()) if arguments.all() else TEXT
    else:
        made.arguments = join((), *arguments.all())
        made.attributes = dict(arguments.named) if kind is None or kind not in containers.BUILTIN else {}
        if kind is not None and kind[0] != "?" and given_by(name) is not None:
            made.attributes = {}
    return (made,)


def keep_callbacks(made: Instance, arguments: Arguments) -> None:
    """Note the functions and objects that an object is made with: it may call them."""
    for value in arguments.all():
        for atom in value:
            if isinstance(atom, Function | Bound | Class):
                made.callbacks.append(atom)
            elif isinstance(atom, Instance):
                inside = [*atom.elements, *[each for held in atom.attributes.values() for each in held]]
                if (atom.callbacks or isinstance(atom.kind, Class)) and atom is not made:
                    made.callbacks.append(atom)
                elif atom.type_name in containers.BUILTIN:
                    made.callbacks.extend(each for each in inside if isinstance(each, Function | Bound | Instance))


def note_uses(frame: Frame, arguments: Arguments) -> None:
    """Note the shared objects that are passed to somebody else's code."""
    if frame.importing:
        return
    for value in arguments.all():
        for atom in value:
            if isinstance(atom, Instance) and atom.shared:
                frame.engine.report.use(frame, atom.site)


def call_member(frame: Frame, member: Member, arguments: Arguments, node: ast.AST) -> Value:
    """Return what a method of somebody else's object gives."""
    owner, path = member.owner, member.path
    note_uses(frame, arguments)
    method = path.rpartition(".")[2]
    if not frame.importing and owner.shared:
        frame.engine.report.use(frame, owner.site)
    if method in _JOINS or method.startswith("add_done"):
        frame.engine.report.joined.add(owner.site)
    if method in ("acquire", "release") and locks.locks_in((owner,)):
        if method == "acquire":
            locks.take(frame, (owner,), node)
        else:
            locks.leave(frame, (owner,))
        return UNKNOWN
    special = known.METHODS.get(method)
    if special is not None:
        result = special(Call(frame, arguments, node, owner))
        if result is not None:
            effects.apply(Call(frame, arguments, node, owner), member.name)
            return result
    result = _given(frame, member, arguments, node)
    made = result[0] if result and isinstance(result[0], Instance) else None
    is_known = effects.apply(Call(frame, arguments, node, owner), _full_name(member), made)
    if method in containers.CHANGES and not is_known:
        _change(frame, member, arguments, node)
    if frame.importing:
        keep_callbacks(owner, arguments)
        if made is not None:
            keep_callbacks(made, arguments)
    else:
        _include(owner, arguments)
        if owner.callbacks and method in _ENTERS:
            calls.enter(frame, owner, node)
        if method not in _ADDS_CALLBACK:
            calls.call_back(frame, arguments, node)
    return result


def _include(owner: Instance, arguments: Arguments) -> None:
    """A router that was made at import is added to an application: `app.include_router(router)`."""
    for value in arguments.all():
        for atom in value:
            is_router = isinstance(atom, Instance) and atom.callbacks and isinstance(atom.kind, str)
            if is_router and atom is not owner and atom not in owner.callbacks:
                owner.callbacks.append(atom)


def _full_name(member: Member) -> str:
    kind = member.owner.kind
    if isinstance(kind, Class):
        externals = kind.externals()
        return f"{externals[0]}.{member.path}" if externals else "?"
    return member.name


def _given(frame: Frame, member: Member, arguments: Arguments, node: ast.AST) -> Value:
    name = _full_name(member)
    kind = given_by(name)
    owner = member.owner
    if kind in PATHS:
        made = frame.made(kind, node)
        made.arguments = text_of([(owner,), *arguments.all()])
        return (made,)
    if kind is not None:
        made = frame.made(kind, node)
        made.arguments = join((owner,), *arguments.all())
        return (made,)
    if frame.importing:
        made = frame.made(f"?{name.lstrip('?')}", node)
        made.arguments = (owner,)
        return (made,)
    if owner.type_name == "contextvars.ContextVar" and member.path == "get":
        return REQUEST
    if any(is_request(each) for each in arguments.all()) or (not owner.shared and is_request((owner,))):
        return DERIVED
    if owner.type_name in PATHS and member.path in ("as_posix", "__str__", "__fspath__"):
        return text_of([(owner,)])
    return UNKNOWN


def _change(frame: Frame, member: Member, arguments: Arguments, node: ast.AST) -> None:
    """A method such as `headers.update` of something that somebody else's object has."""
    head, _, _ = member.path.rpartition(".")
    given = join((), *arguments.all())
    if head:
        attributes.change_member(frame, Member(member.owner, head), node, given)
    elif member.owner.type_name.startswith("?") and not member.owner.callbacks:
        writes.change(frame, member.owner, node, given, augmented=member.path not in ("append", "add", "update"))
