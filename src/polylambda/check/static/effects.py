"""What is known of other people's code, applied to where it is called."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polylambda.check.facts import RECEIVER, Effect, Fact, facts_of
from polylambda.check.finding import Mode
from polylambda.check.static import locks
from polylambda.check.static.report import finding, modes_of
from polylambda.check.static.texts import text_of
from polylambda.check.static.values import (
    Const,
    External,
    Fixed,
    Instance,
    Value,
    is_request,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from polylambda.check.static.frame import Arguments, Call, Frame

_OF_THE_OBJECT = (Effect.UNSHAREABLE, Effect.LOOP_BOUND, Effect.UNPOOLED)
_OWN_RULE = ("LMI304", "LMI305")
_NOTHING: frozenset[object] = frozenset()
_NO_FILES = frozenset({"/dev/null", ":memory:", ""})
_CREDENTIALS = ("aws_", "credential", "token", "password", "auth")
_SCRATCH = ("/tmp", "/var/tmp", "$TMPDIR")  # noqa: S108 # names to compare with
_AGAIN = frozenset({"setLevel", "basicConfig", "__setitem__", "setdefault", "captureWarnings", "putenv"})
"""Settings that may as well be set again and again, to the same."""


def apply(call: Call, name: str, made: Instance | None = None) -> bool:
    """Apply what is known of a call of `name`, which gives `made`; say whether anything is."""
    if name.startswith("?"):
        return False
    facts = facts_of(name)
    for fact in facts:
        if fact.effect in _OF_THE_OBJECT:
            if made is not None and not _is_opened_later(call.arguments):
                _note_made(call.frame, fact, made, call)
        elif not call.frame.importing:
            apply_one = _EFFECTS.get(fact.effect)
            if apply_one is not None:
                apply_one(call, fact, name)
    return bool(facts)


def dangling(call: Call) -> None:
    """A task is started that nobody keeps."""
    for fact in facts_of("asyncio.create_task"):
        if fact.rule == "RUF006":
            _add(call, fact, fact.rule, modes_of(fact.rule))


def _add(call: Call, fact: Fact, rule: str, modes: tuple[Mode, ...], once: frozenset[object] = _NOTHING) -> None:
    frame = call.frame
    frame.engine.report.add(frame, rule, frame.place(call.node), fact.message, fact.instead, modes=modes, once=once)


def _blocks(call: Call, fact: Fact, _: str) -> None:
    frame = call.frame
    if not frame.loop or (call.owner is not None and call.owner.type_name in locks.THREAD_LOCKS):
        return
    _add(call, fact, fact.rule if frame.direct or fact.rule in _OWN_RULE else "LMI302", fact.modes)


def _computes(call: Call, fact: Fact, _: str) -> None:
    own = (call.owner,) if call.owner is not None and not call.owner.shared else ()
    if call.frame.loop and (is_request(own) or any(is_request(each) for each in call.arguments.all())):
        _add(call, fact, fact.rule, fact.modes)


def _changes_process(call: Call, fact: Fact, name: str) -> None:
    frame = call.frame
    if frame.quiet or _was_empty(call):
        return
    values = call.arguments.all()
    if name.endswith(".setdefault") and not any(is_request(each) for each in values):
        return  # the first one stays, and it is the same whoever comes first
    is_again = name.rpartition(".")[2] in _AGAIN or (fact.rule == "LMI209" and name.endswith("="))
    if is_again and not frame.decided and not any(is_request(each) for each in values):
        thing, value = _setting(call, name)
        found = finding(fact.rule, frame.place(call.node), fact.message, fact.instead, fact.modes, frame.trail)
        frame.engine.report.add_constant(thing, value, found)
        return
    if name.endswith("__delitem__"):
        found = finding(fact.rule, frame.place(call.node), fact.message, fact.instead, fact.modes, frame.trail)
        frame.engine.report.add_constant(_setting(call, name)[0], "", found)
    _add(call, fact, fact.rule, fact.modes, _once(frame, values))


def _was_empty(call: Call) -> bool:
    """`if not logger.handlers: logger.addHandler(...)`."""
    owner = id(call.owner)
    return any(each == owner or (isinstance(each, tuple) and owner in each) for each in call.frame.empty)


def _setting(call: Call, name: str) -> tuple[str, str]:
    """Return what is set, and to what."""
    owner = "" if call.owner is None else str(call.owner.arguments or id(call.owner))
    thing = name.rpartition(".")[0] if name.endswith(("item__", "setdefault", "putenv")) else name
    if thing != name and call.arguments.positional:
        return f"{thing} {owner} {call.at(0)}", str(call.arguments.positional[1:])
    return f"{thing} {owner}", f"{call.arguments.positional} {call.arguments.named}"


def _once(frame: Frame, values: list[Value]) -> frozenset[object]:
    return _NOTHING if any(is_request(each) for each in values) else frame.once()


def _writes_path(call: Call, fact: Fact, name: str) -> None:
    frame = call.frame
    if frame.quiet or not _writes(fact, call.arguments):
        return
    for path in _paths(call, fact):
        atom = text_of([path])[0] if path else None
        if not isinstance(atom, Fixed) or atom.text in _NO_FILES or "mode=ro" in atom.text or "://" in atom.text:
            continue
        if name == "sqlite3.connect" and not atom.text.startswith(_SCRATCH):
            continue  # a database is made to be shared
        modes = fact.modes if not atom.by_process else tuple(mode for mode in fact.modes if mode is not Mode.PROCESS)
        message = f"{fact.message}: {atom.text}" if "..." not in atom.text else fact.message
        place = frame.place(call.node)
        frame.engine.report.add(frame, fact.rule, place, message, fact.instead, modes=modes, once=frame.once())
        return


def _writes(fact: Fact, arguments: Arguments) -> bool:
    if any(isinstance(atom, Const) and atom.value is True for atom in arguments.named.get("exist_ok", ())):
        return False
    if not fact.mode:
        return True
    position, name = fact.mode[0], fact.mode[-1]
    value = arguments.at(position if isinstance(position, int) else 99, str(name))
    return any(isinstance(atom, Const) and set(str(atom.value)) & set("wax+") for atom in value)


def _paths(call: Call, fact: Fact) -> list[Value]:
    found: list[Value] = []
    for each in fact.arguments:
        if each == RECEIVER:
            found += [(call.owner,)] if call.owner is not None else []
        elif isinstance(each, int):
            found += call.arguments.positional[each : each + 1]
        elif each in call.arguments.named:
            found.append(call.arguments.named[each])
    return found


def _makes_client(call: Call, fact: Fact, _: str) -> None:
    frame = call.frame
    if frame.caching or not _is_same_for_all(call.arguments):
        return
    found = finding(fact.rule, frame.place(call.node), fact.message, fact.instead, fact.modes, frame.trail)
    frame.engine.report.add_unless_kept(frame.site(call.node), found, frame.once())


def _is_same_for_all(arguments: Arguments) -> bool:
    """A client with the caller's own credentials, or of the caller's own region, cannot be shared."""
    if arguments.partial or any(is_request(each) for each in arguments.all()):
        return False
    secrets = [value for name, value in arguments.named.items() if any(part in name for part in _CREDENTIALS)]
    return all(isinstance(atom, Const | Fixed | External | Instance) for value in secrets for atom in value)


def _starts_work(call: Call, fact: Fact, _: str) -> None:
    """Work that nobody waits for: known when the function has been followed to its end."""
    frame = call.frame
    if fact.rule != "LMI406" or (call.owner is not None and call.owner.shared):
        return
    site = call.owner.site if call.owner is not None else frame.site(call.node)
    found = finding(fact.rule, frame.place(call.node), fact.message, fact.instead, fact.modes, frame.trail)
    frame.engine.report.add_unless_joined(site, found)


def _is_opened_later(arguments: Arguments) -> bool:
    return any(isinstance(atom, Const) and atom.value is False for atom in arguments.named.get("open", ()))


def _note_made(frame: Frame, fact: Fact, made: Instance, call: Call) -> None:
    """An object that must not be shared: it is if it is made at import, or kept, and an invocation uses it."""
    if fact.effect is Effect.LOOP_BOUND and (frame.lifespan or not frame.importing):
        return
    per_loop = fact.effect is Effect.LOOP_BOUND and Mode.TASK not in fact.modes
    place = frame.origin or frame.place(call.node)
    found = finding(fact.rule, place, fact.message, fact.instead, fact.modes, ())
    frame.engine.report.add_if_used(made.site, found, at_import=frame.importing, per_loop=per_loop)


_EFFECTS: dict[Effect, Callable[[Call, Fact, str], None]] = {
    Effect.BLOCKS: _blocks,
    Effect.HEAVY: _computes,
    Effect.PROCESS_WIDE: _changes_process,
    Effect.WRITES_PATH: _writes_path,
    Effect.MAKES_CLIENT: _makes_client,
    Effect.STARTS_WORK: _starts_work,
}
