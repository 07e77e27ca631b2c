"""The check from beginning to end: learn, run alone and together, judge, find the smallest run that shows it, explain."""

from __future__ import annotations

import asyncio
import json
import random
import shlex
from dataclasses import replace
from typing import TYPE_CHECKING

from polylambda.check.dynamic import growing as growth
from polylambda.check.dynamic.behaving import behaving, broke, failing, is_different
from polylambda.check.dynamic.events import Learnt, learn, refuse_unloadable
from polylambda.check.dynamic.forks import Forks
from polylambda.check.dynamic.leaking import leaking
from polylambda.check.dynamic.marks import Marks
from polylambda.check.dynamic.observation import Observation
from polylambda.check.dynamic.options import Ran, RunOptions
from polylambda.check.dynamic.rehearsal import Event, Rehearsal
from polylambda.check.dynamic.runs import Runs
from polylambda.check.finding import Finding, Mode
from polylambda.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

_BUDGET = 1.2  # seconds for each sequential run of a slow handler
_LEAST = 12  # invocations of the slowest handler
_LONG = 1200  # invocations after which what still grows has no bound, at most
_LEAST_LONG = 240  # at least: the usual cache has 128 entries
_LONGER = 20  # times as many invocations as in the other runs
_WHOLE = 4  # times the time limit of an invocation, for all runs
_EXPLAINED = {"RUN101", "RUN102", "RUN103", "RUN104", "RUN105", "RUN106", "RUN114"}
_BY_GROWTH = {"RUN108", "RUN110", "RUN111", "RUN112", "RUN113"}
_BY_COMPARISON = {"RUN106", "RUN114"}
_LONGEST_EVENT = 300  # characters of an event on a command line


async def examine(options: RunOptions, progress: Callable[[str], None], forks: Forks) -> Ran:
    """Check a handler.

    Raises:
        ConfigurationError: it cannot be loaded, does not fit the mode, answers no event, or takes too long.
    """
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1_000_000)
    until = asyncio.get_running_loop().time() + _WHOLE * options.timeout
    try:
        mode = options.mode or await _default_mode(Rehearsal(forks, options, seed, Mode.PROCESS, [], 1, 0, until))
        rehearsal = Rehearsal(forks, options, seed, mode, [], options.concurrency, options.invocations, until)
        learnt = await learn(rehearsal, options.events, progress)
    except TimeoutError:
        raise ConfigurationError(
            f"{options.target} did not answer its events within {_WHOLE * options.timeout:g} s: give quicker ones"
        ) from None
    count = affordable(options, learnt.seconds)
    rehearsal = rehearsal.smaller(learnt.events, options.concurrency, count)
    if learnt.is_broken or learnt.failing is not None:
        return _ran(options, rehearsal, _at_once(rehearsal, learnt))
    if count < options.invocations:
        progress(
            f"an invocation takes {learnt.seconds * 1000:.0f} ms: {count} of them instead of {options.invocations}"
        )
    how = (
        "one after the other in a process"
        if mode is Mode.PROCESS
        else f"{options.concurrency} at a time in mode {mode}"
    )
    progress(f"{count} invocations, {how}, seed {seed}")
    runs = await _run(rehearsal, progress)
    found = _judge(runs)
    if found and not _is_slow_to_hang(runs):
        progress("looking for the smallest run that shows it")
        rehearsal, found = await _shrink(rehearsal, runs, found)
    return replace(_ran(options, rehearsal, found), invocations=count)


def _at_once(rehearsal: Rehearsal, learnt: Learnt) -> list[Finding]:
    """What shows before invocations run together, and keeps them from doing it."""
    runs = Runs(Marks(rehearsal.seed), rehearsal.mode, rehearsal.invocations, learnt.seen)
    if learnt.failing is not None:
        return failing(runs, *learnt.failing)
    return broke(runs, learnt.seen, one_by_one=True)


def _is_slow_to_hang(runs: Runs) -> bool:
    """Say whether a run hung in a way that takes the whole time limit to notice."""
    return any(not note["stuck"] for run in (runs.together, runs.alone, runs.reversed) for note in run.of("hung"))


async def check(options: RunOptions, progress: Callable[[str], None]) -> Ran:
    """Do what `examine` does, with processes of its own."""
    async with Forks() as forks:
        return await examine(options, progress, forks)


async def _default_mode(rehearsal: Rehearsal) -> Mode:
    seen = await rehearsal.once([])
    refuse_unloadable(rehearsal, seen)
    return Mode.TASK if seen.of("handler")[0]["asynchronous"] else Mode.THREAD


def affordable(options: RunOptions, seconds: float) -> int:
    """How many invocations there are: fewer of a slow handler, but each slot's worth; with a seed, as many as were asked for."""
    if options.seed is not None or seconds * options.invocations <= _BUDGET:
        return options.invocations
    return min(options.invocations, max(options.concurrency, _LEAST, int(_BUDGET / seconds)))


async def _run(rehearsal: Rehearsal, progress: Callable[[str], None], only: set[str] | None = None) -> Runs:
    """Do all runs, or those that the rules in `only` need, up to the first that hangs or ends early.

    Raises:
        ConfigurationError: not even the first was over in time.
    """
    runs = Runs(Marks(rehearsal.seed), rehearsal.mode, rehearsal.invocations, Observation())
    runs.events = len(rehearsal.events)
    is_over = False
    try:
        runs.together = await rehearsal.together()
        is_over = True
        if not runs.together.is_broken:
            await _compare(rehearsal, runs, progress, only)
    except TimeoutError:
        seconds = f"{_WHOLE * rehearsal.options.timeout:g} s"
        if not is_over:
            raise ConfigurationError(
                f"{rehearsal.options.target} did not get through {rehearsal.invocations} invocations within {seconds}:"
                " give fewer --invocations, or quicker events"
            ) from None
        progress(
            f"cut short after {seconds}: what invocations leave, and what differs from running alone, is not all told"
        )
    return runs


async def _compare(
    rehearsal: Rehearsal, runs: Runs, progress: Callable[[str], None], only: set[str] | None = None
) -> None:
    if only is None or only & (_BY_COMPARISON | _BY_GROWTH | {"RUN109"}):
        runs.alone = await rehearsal.alone(probes=growth.probes(rehearsal.invocations))
        if runs.alone.is_broken:
            return
    if only is None or only & (_BY_COMPARISON | {"RUN109"}):
        runs.reversed = await rehearsal.reversed()
        if runs.reversed.is_broken:
            return
        if is_different(runs):  # then it matters what differs by chance
            runs.again = await rehearsal.alone()
    if growth.growth(runs.alone).keys() & growth.BOUNDABLE:
        many = min(_LONG, max(_LEAST_LONG, _LONGER * rehearsal.invocations))
        progress(f"something grows: {many} invocations, to see whether it stops")
        longer = rehearsal.smaller(rehearsal.events, rehearsal.concurrency, many)
        runs.longer = await longer.alone(probes=growth.probes(many), thorough=True)


def _judge(runs: Runs) -> list[Finding]:
    return [*leaking(runs), *behaving(runs), *growth.growing(runs)]


async def _shrink(rehearsal: Rehearsal, runs: Runs, found: list[Finding]) -> tuple[Rehearsal, list[Finding]]:
    """Find the smallest run that shows every rule that was broken, and explain by it, as far as there is time."""
    wanted = {finding.rule for finding in found}
    try:
        for smaller in _smaller(rehearsal, wanted):
            tried = await _run(smaller, lambda _: None, only=wanted)
            judged = _judge(tried)
            if wanted <= {finding.rule for finding in judged}:
                rehearsal, runs, found = smaller, tried, judged
                break
        if wanted & _EXPLAINED:
            runs.explained = await rehearsal.together(lines=True)
            found = _judge(runs)
    except (TimeoutError, ConfigurationError):  # out of time
        pass
    return rehearsal, [finding for finding in found if finding.rule in wanted]


def _smaller(rehearsal: Rehearsal, wanted: set[str]) -> list[Rehearsal]:
    """Smaller runs, the smallest first."""
    least = 16 if wanted & _BY_GROWTH else 4 if "RUN109" in wanted else 2  # the first one is not counted for stalls
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


def _ran(options: RunOptions, rehearsal: Rehearsal, found: list[Finding]) -> Ran:
    """What came of it, with the options of the run that shows it again."""
    again = replace(
        options,
        events=tuple(event.payload for event in rehearsal.events),
        names=tuple(_name(options, event) for event in rehearsal.events),
        mode=rehearsal.mode,
        concurrency=rehearsal.concurrency,
        invocations=rehearsal.invocations,
        seed=rehearsal.seed,
    )
    reproduce = _command(again) if found else ""
    return Ran(tuple(sorted(found)), rehearsal.seed, rehearsal.mode, rehearsal.invocations, reproduce, again)


def _command(options: RunOptions) -> str:
    """The command line with these options, all of which are known."""
    words = ["polylambda", "check", "--run", options.target]
    for name in options.names:
        words += ["--event", name]
    words += ["--mode", str(options.mode), "--concurrency", str(options.concurrency)]
    words += ["--invocations", str(options.invocations), "--seed", str(options.seed)]
    if options.stall != RunOptions.stall:
        words += ["--stall", f"{options.stall * 1000:g}"]
    return shlex.join(words)


def _name(options: RunOptions, event: Event) -> str:
    number = options.events.index(event.payload)
    if number < len(options.names):
        return options.names[number]
    text = json.dumps(event.content) if event.content is not None else event.payload.decode(errors="replace")
    return text if len(text) <= _LONGEST_EVENT else f"event-{number + 1}.json"
