"""What one name does that matters when invocations run at the same time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from polylambda.check.finding import Mode

TASK = (Mode.TASK,)
THREAD = (Mode.THREAD,)
SHARED = (Mode.TASK, Mode.THREAD)
"""Where invocations share an interpreter."""
LOOP_EACH = (Mode.THREAD, Mode.PROCESS)
"""Where a `def` handler that uses asyncio.run() has a loop for every invocation; in tasks there is one for all."""
ALL = tuple(Mode)

RECEIVER = -1
"""The object whose method is called, as the place of an argument."""


class Effect(StrEnum):
    """What a call does, or what its result is."""

    BLOCKS = "blocks"
    """It waits without giving the event loop back."""
    HEAVY = "heavy"
    """It computes for long when it is given much."""
    PROCESS_WIDE = "process-wide"
    """It changes what the whole process has once."""
    MAKES_CLIENT = "makes-client"
    """It makes something costly that invocations should share."""
    UNSHAREABLE = "unshareable"
    """What it gives must not be used by two invocations at once."""
    LOOP_BOUND = "loop-bound"
    """What it gives belongs to one event loop."""
    UNPOOLED = "unpooled"
    """What it gives is one connection: invocations that share it wait for each other, or mix their transactions."""
    STARTS_WORK = "starts-work"
    """It starts what goes on after the call, and must be kept and waited for."""
    WRITES_PATH = "writes-path"
    """It writes, moves or removes the file that an argument names."""


@dataclass(frozen=True, slots=True)
class Fact:
    """What is known of a name.

    Attributes:
        effect: what it does.
        rule: under which it is reported when it is done directly; ruff's id where ruff sees it too.
        message: one line that names the thing.
        instead: the fix, one line, with the asynchronous alternative where there is one.
        modes: in which it matters.
        arguments: where the paths are, for `WRITES_PATH`: positions, `RECEIVER`, or names of keywords.
        mode: where the mode is, as in `open()`: only w, a, x and + write; empty when it always writes.
    """

    effect: Effect
    rule: str
    message: str
    instead: str
    modes: tuple[Mode, ...]
    arguments: tuple[int | str, ...] = ()
    mode: tuple[int | str, ...] = ()


Table = Mapping[str, tuple[Fact, ...]]
"""Facts by fully qualified name.

A key that ends with `.*` is for all that is below it, with what its own key says; an empty tuple there says that there is
nothing to know. A key that ends with `=` is for assignment to it, and for its deletion. In a message `{name}` stands for the name
that was looked up, without what its module is, and `{method}` for its last part.
"""


@dataclass(frozen=True, slots=True)
class Theme:
    """What is known of a group of modules.

    Attributes:
        facts: by name.
        gives: the type of what a call gives, by name of what is called; what `with` and `async with` bind is the same.
        aliases: other names of the same thing: the name that the tables know, by the other one.
    """

    facts: Table = field(default_factory=dict[str, tuple[Fact, ...]])
    gives: Mapping[str, str] = field(default_factory=dict[str, str])
    aliases: Mapping[str, str] = field(default_factory=dict[str, str])


def known(*groups: tuple[Fact, str | Iterable[str]]) -> dict[str, tuple[Fact, ...]]:
    """Return a table of groups: a fact, and the names it holds for, in one string with white space between them."""
    table: dict[str, tuple[Fact, ...]] = {}
    for fact, names in groups:
        for name in names.split() if isinstance(names, str) else names:
            table[name] = (*table.get(name, ()), fact)
    return table


def below(prefix: str, names: str) -> list[str]:
    """Return `names`, with white space between them, each with `prefix` and a dot in front."""
    return [f"{prefix}.{name}" for name in names.split()]


def blocks(
    instead: str,
    rule: str = "LMI301",
    message: str = "{name}() blocks the event loop",
    modes: tuple[Mode, ...] = TASK,
) -> Fact:
    """Return the fact that something waits without giving the event loop back."""
    return Fact(Effect.BLOCKS, rule, message, instead, modes)


def heavy(instead: str = "await asyncio.to_thread({name}, ...)") -> Fact:
    """Return the fact that something computes for long."""
    return Fact(Effect.HEAVY, "LMI303", "{name}() computes on the event loop", instead, TASK)


def process_wide(rule: str, message: str, instead: str, modes: tuple[Mode, ...] = SHARED) -> Fact:
    """Return the fact that something changes what the process has once."""
    return Fact(Effect.PROCESS_WIDE, rule, message, instead, modes)


def makes_client(instead: str, modes: tuple[Mode, ...] = SHARED) -> Fact:
    """Return the fact that something is costly to make, and made to be shared."""
    return Fact(Effect.MAKES_CLIENT, "LMI402", "{name}() for every invocation", instead, modes)


def makes_async_client(instead: str) -> Fact:
    """Return the same of something that belongs to a loop: where each invocation has its own, it cannot be shared."""
    return makes_client(instead, TASK)


def unshareable(message: str, instead: str, modes: tuple[Mode, ...] = SHARED) -> Fact:
    """Return the fact that something is not for two invocations at once."""
    return Fact(Effect.UNSHAREABLE, "LMI403", message, instead, modes)


def loop_bound(message: str, instead: str, modes: tuple[Mode, ...] = ALL) -> Fact:
    """Return the fact that something belongs to the event loop that is there when it is made or first used."""
    return Fact(Effect.LOOP_BOUND, "LMI401", message, instead, modes)


def unpooled(instead: str, message: str = "one connection, {name}(), for all invocations") -> Fact:
    """Return the fact that something is a connection without a pool."""
    return Fact(Effect.UNPOOLED, "LMI404", message, instead, SHARED)


def starts_work(message: str, instead: str, rule: str = "LMI406") -> Fact:
    """Return the fact that something goes on after the call."""
    return Fact(Effect.STARTS_WORK, rule, message, instead, ALL)


def writes_path(
    *arguments: int | str,
    instead: str = "a name of its own for every invocation: context.tmp_dir, or tempfile",
    message: str = "{name}() on a path that every invocation has",
    mode: tuple[int | str, ...] = (),
) -> Fact:
    """Return the fact that something writes the files that `arguments` name; processes share them too."""
    return Fact(Effect.WRITES_PATH, "LMI201", message, instead, ALL, arguments, mode)
