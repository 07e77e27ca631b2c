"""The check from beginning to end: learn, run alone and together, judge, find the smallest run that shows it, explain."""

from __future__ import annotations

import json
import random
import shlex
from dataclasses import replace
from typing import TYPE_CHECKING

from polylambda.check.dynamic import growing as growth
from polylambda.check.dynamic.behaving import behaving, is_different
from polylambda.check.dynamic.events import learn, refuse_unloadable
from polylambda.check.dynamic.forks import Forks
from polylambda.check.dynamic.leaking import leaking
from polylambda.check.dynamic.marks import Marks
from polylambda.check.dynamic.options import Ran, RunOptions
from polylambda.check.dynamic.rehearsal import Event, Rehearsal
from polylambda.check.dynamic.runs import Runs
from polylambda.check.finding import Finding, Mode

if TYPE_CHECKING:
    from collections.abc import Callable

_BUDGET = 1.2  # seconds for each sequential run of a slow handler
_LEAST = 12  # invocations of the slowest handler
_LONG = 1200  # invocations after which what still grows has no bound
_LONG_BUDGET = 3.0  # seconds for them
_EXPLAINED = {"RUN101", "RUN102", "RUN103", "RUN104", "RUN105", "RUN106", "RUN114"}
_BY_GROWTH = {"RUN108", "RUN110", "RUN111", "RUN112", "RUN113"}
_BY_COMPARISON = {"RUN106", "RUN114"}
_LONGEST_EVENT = 300  # characters of an event on a command line


async def examine(options: RunOptions, progress: Callable[[str], None], forks: Forks) -> Ran:
    """Check a handler.

    Raises:
        ConfigurationError: it cannot be loaded, or does not fit the mode.
    """
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1_000_000)
    mode = options.mode or await _default_mode(Rehearsal(forks, options, seed, Mode.PROCESS, [], 1, 0))
    rehearsal = Rehearsal(forks, options, seed, mode, [], options.concurrency, options.invocations)
    events, seconds = await learn(rehearsal, options.events, progress)
    count = _affordable(options, seconds)
    if count < options.invocations:
        progress(f"an invocation takes {seconds * 1000:.0f} ms: {count} of them instead of {options.invocations}")
    rehearsal = rehearsal.smaller(events, options.concurrency, count)
    how = (
        "one after the other in a process"
        if mode is Mode.PROCESS
        else f"{options.concurrency} at a time in mode {mode}"
    )
    progress(f"{count} invocations, {how}, seed {seed}")
    runs = await _run(rehearsal, progress, seconds)
    found = _judge(runs)
    smallest = rehearsal
    if found:
        progress("looking for the smallest run that shows it")
        smallest, found = await _shrink(rehearsal, runs, found)
    return Ran(tuple(sorted(found)), seed, mode, count, _command(options, smallest))


async def check(options: RunOptions, progress: Callable[[str], None]) -> Ran:
    """Do what `examine` does, with processes of its own."""
    async with Forks() as forks:
        return await examine(options, progress, forks)


async def _default_mode(rehearsal: Rehearsal) -> Mode:
    seen = await rehearsal.once([])
    refuse_unloadable(rehearsal, seen)
    return Mode.TASK if seen.of("handler")[0]["asynchronous"] else Mode.THREAD


def _affordable(options: RunOptions, seconds: float) -> int:
    """How many invocations there are: fewer of a slow handler, but each slot's worth."""
    if seconds * options.invocations <= _BUDGET:
        return options.invocations
    return min(options.invocations, max(options.concurrency, _LEAST, int(_BUDGET / seconds)))


async def _run(
    rehearsal: Rehearsal, progress: Callable[[str], None], seconds: float = 0.0, only: set[str] | None = None
) -> Runs:
    """Do all runs, or those that the rules in `only` need."""
    together = await rehearsal.together()
    runs = Runs(Marks(rehearsal.seed), rehearsal.mode, rehearsal.invocations, together)
    if only is None or only & (_BY_COMPARISON | _BY_GROWTH | {"RUN109"}):
        runs.alone = await rehearsal.alone(probes=growth.probes(rehearsal.invocations))
    if only is None or only & (_BY_COMPARISON | {"RUN109"}):
        runs.reversed = await rehearsal.reversed()
        if is_different(runs):  # then it matters what differs by chance
            runs.again = await rehearsal.alone()
    if growth.growth(runs.alone).keys() & growth.BOUNDABLE:
        many = min(_LONG, max(4 * rehearsal.invocations, int(_LONG_BUDGET / max(seconds, 0.001))))
        progress(f"something grows: {many} invocations, to see whether it stops")
        longer = rehearsal.smaller(rehearsal.events, rehearsal.concurrency, many)
        runs.longer = await longer.alone(probes=growth.probes(many), thorough=True)
    return runs


def _judge(runs: Runs) -> list[Finding]:
    return [*leaking(runs), *behaving(runs), *growth.growing(runs)]


async def _shrink(rehearsal: Rehearsal, runs: Runs, found: list[Finding]) -> tuple[Rehearsal, list[Finding]]:
    """Find the smallest run that shows every rule that was broken, and explain by it."""
    wanted = {finding.rule for finding in found}
    for smaller in _smaller(rehearsal, wanted):
        tried = await _run(smaller, lambda _: None, only=wanted)
        judged = _judge(tried)
        if wanted <= {finding.rule for finding in judged}:
            rehearsal, runs, found = smaller, tried, judged
            break
    if wanted & _EXPLAINED:
        runs.explained = await rehearsal.together(lines=True)
        found = _judge(runs)
    return rehearsal, [finding for finding in found if finding.rule in wanted]


def _smaller(rehearsal: Rehearsal, wanted: set[str]) -> list[Rehearsal]:
    """Smaller runs, the smallest first."""
    least = 16 if wanted & _BY_GROWTH else 2
    sizes = [(2, 2), (2, 4), (4, 8), (2, 16), (8, 24)]
    fewer: list[Rehearsal] = []
    choices: list[list[Event]] = [[event] for event in rehearsal.events][:3]
    if len(rehearsal.events) > 1:
        choices.append(list(rehearsal.events))
    for concurrency, invocations in sizes:
        if invocations < least or invocations >= rehearsal.invocations or concurrency > rehearsal.concurrency:
            continue
        fewer += [rehearsal.smaller(events, concurrency, invocations) for events in choices]
    return fewer


def _command(options: RunOptions, rehearsal: Rehearsal) -> str:
    """The command line that does a run again."""
    words = ["polylambda", "check", "--run", options.target]
    for event in rehearsal.events:
        words += ["--event", _named(options, event)]
    words += ["--mode", rehearsal.mode.value, "--concurrency", str(rehearsal.concurrency)]
    words += ["--invocations", str(rehearsal.invocations), "--seed", str(rehearsal.seed)]
    if options.stall != RunOptions.stall:
        words += ["--stall", f"{options.stall * 1000:g}"]
    return shlex.join(words)


def _named(options: RunOptions, event: Event) -> str:
    number = options.events.index(event.payload)
    if number < len(options.names):
        return options.names[number]
    text = json.dumps(event.content) if event.content is not None else event.payload.decode(errors="replace")
    return text if len(text) <= _LONGEST_EVENT else f"event-{number + 1}.json"


def reproduction(options: RunOptions, ran: Ran) -> RunOptions:
    """Return the options of the run that `ran.reproduce` is the command line of."""
    words = shlex.split(ran.reproduce)
    given = [words[at + 1] for at, word in enumerate(words) if word == "--event"]
    named = dict(zip(options.names, options.events, strict=False))
    return replace(
        options,
        events=tuple(named.get(each, each.encode()) for each in given),
        mode=ran.mode,
        concurrency=int(words[words.index("--concurrency") + 1]),
        invocations=int(words[words.index("--invocations") + 1]),
        seed=ran.seed,
    )
