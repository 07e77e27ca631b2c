"""What the rules are: one `Rule` each, with everything that its page in the documentation says."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from polylambda.check.catalogue import (
    blocking,
    clients,
    interpreter,
    leaks,
    reporting,
    shared,
    state,
    strain,
    suppressing,
    surroundings,
    waiting,
    work,
)
from polylambda.check.catalogue.group import Group

if TYPE_CHECKING:
    from collections.abc import Mapping

    from polylambda.check.rule import Rule

GROUPS: tuple[Group, ...] = (
    Group(
        "Shared state",
        "Variables and objects that live longer than an invocation, and are written by it.",
        (
            state.GLOBAL,
            state.CLASS,
            state.CLOSURE,
            state.FUNCTION,
            shared.CACHE,
            shared.OBJECT,
            shared.ITERATOR,
            state.DEFAULT,
            state.CONTEXT_DEFAULT,
            shared.METHOD,
        ),
    ),
    Group(
        "One for the process",
        "What there is one of for a process, or for the whole environment, so that an invocation that changes it changes "
        "it for all.",
        (
            surroundings.FILE,
            surroundings.FOLDER,
            surroundings.ENVIRONMENT,
            surroundings.UMASK,
            surroundings.SIGNAL,
            interpreter.LOCALE,
            interpreter.DECIMAL,
            interpreter.RANDOM,
            reporting.LOGGING,
            reporting.STREAM,
            reporting.WARNINGS,
            interpreter.SOCKET,
            interpreter.START_METHOD,
            interpreter.SETTING,
        ),
    ),
    Group(
        "Blocking in a coroutine",
        "All `async def` invocations of a process share one event loop; a call that blocks it stops all of them. Rules "
        "whose ids begin with ASYNC are ruff's, and found by ruff.",
        (
            waiting.HTTP,
            waiting.HTTPX,
            waiting.START_PROCESS,
            waiting.RUN_PROCESS,
            waiting.WAIT_PROCESS,
            waiting.OPEN,
            waiting.PATH,
            waiting.INPUT,
            waiting.SLEEP,
            blocking.CALL,
            blocking.BELOW,
            blocking.HEAVY,
            blocking.SECOND_LOOP,
            blocking.LOCK,
        ),
    ),
    Group(
        "Lifetimes",
        "Clients, connections and work that live too long, or not long enough, or on the wrong loop.",
        (
            clients.LOOP,
            clients.REMADE,
            clients.UNSHAREABLE,
            clients.UNPOOLED,
            work.TASK,
            work.COROUTINE,
            work.UNJOINED,
        ),
    ),
    Group(
        "Seen when it ran",
        "What `polylambda check --run` reports, with the evidence: markers that are planted in each event and turn up "
        "elsewhere, and what is left when all is over.",
        (
            leaks.RESULT,
            leaks.LOG,
            leaks.FILE,
            leaks.ENVIRONMENT,
            leaks.STATE,
            leaks.RESULT_DIFFERS,
            leaks.FILE_TWICE,
            strain.GROWS,
            strain.STALL,
            strain.TASKS,
            strain.THREADS,
            strain.DESCRIPTORS,
            strain.LEFTOVERS,
            strain.FAILS,
        ),
    ),
    Group(
        "Suppressions",
        "Comments that suppress findings are looked at, too.",
        (suppressing.NO_REASON, suppressing.UNUSED),
    ),
)
"""All rules, as the documentation groups them."""

RULES: Mapping[str, Rule] = MappingProxyType({rule.id: rule for group in GROUPS for rule in group.rules})
"""Every rule by its id."""
