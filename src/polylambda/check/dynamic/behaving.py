"""Invocations that do something else together than alone, or keep others from running: RUN106, RUN107, RUN109, RUN114. Pure."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from polylambda.check.dynamic.answers import differences
from polylambda.check.dynamic.runs import MOST_EVIDENCE, Runs, Site, name_of, site_of
from polylambda.check.finding import Finding, Mode

if TYPE_CHECKING:
    from polylambda.check.dynamic.observation import Answer, Observation


def behaving(runs: Runs) -> list[Finding]:
    """Return what behaves otherwise."""
    return [*_different(runs), *_same_file(runs), *_stalled(runs), *_failed(runs)]


def is_different(runs: Runs) -> bool:
    """Say whether any answer is another than alone, for whatever reason."""
    alone, both = _comparable(runs)
    return bool(differences(alone, alone, runs.reversed.answers, both))


def _comparable(runs: Runs) -> tuple[dict[int, Answer], dict[int, Answer]]:
    """The answers alone and together; what carries another's data, or fails, is told as that."""
    both = {
        number: answer
        for number, answer in runs.together.answers.items()
        if answer.error is None and not runs.marks.find(answer.body) - {number}
    }
    alone = runs.alone.answers
    if runs.mode is not Mode.PROCESS and len(both) < len(alone):
        alone = {number: answer for number, answer in alone.items() if number in both}
    return alone, both


def _different(runs: Runs) -> list[Finding]:
    alone, both = _comparable(runs)
    found: list[Finding] = []
    lines: list[str] = []
    for each in differences(alone, runs.again.answers, runs.reversed.answers, both):
        what = f"{name_of(each.number)}: " if each.number is not None else "of all invocations together: "
        when = "after others" if each.by_order or runs.mode is Mode.PROCESS else "among others"
        lines.append(f"{what}{each.field or 'the result'} is {each.alone} alone, {each.together} {when}")
    if lines:
        message = f"results depend on what {'else ran before' if runs.mode is Mode.PROCESS else 'else runs'}"
        fix = "keep what the result is made of in the invocation; guard a read, change and write with a lock"
        found.append(runs.finding("RUN106", None, message, fix, [*lines[:MOST_EVIDENCE], *runs.trace(set())]))
    return found


def _same_file(runs: Runs) -> list[Finding]:
    writers: defaultdict[str, dict[int, Site | None]] = defaultdict(dict)
    for note in runs.together.of("file"):
        writers[note["path"]].setdefault(note["number"], site_of(note))
    found: list[Finding] = []
    for path, sites in sorted(writers.items()):
        if len(sites) < 2:
            continue
        numbers = sorted(sites)
        message = f"invocations write the same file: {path}"
        fix = "use context.tmp_dir, tempfile, or a name with the request id in it"
        lines = [f"written by {name_of(0, numbers)}"]
        found.append(runs.finding("RUN107", sites[numbers[0]], message, fix, lines))
    return found


def _stalled(runs: Runs) -> list[Finding]:
    if runs.mode is not Mode.TASK:
        return []
    by_site: defaultdict[Site | None, list[dict[str, Any]]] = defaultdict(list)
    first = min(runs.events, runs.invocations // 2)  # those that come first import, and make clients
    for run, late in ((runs.alone, range(first, runs.invocations)), (runs.reversed, range(runs.invocations - first))):
        for note in run.of("stall"):
            if note["number"] in late:
                by_site[site_of(note)].append(note)
    found: list[Finding] = []
    for site, notes in by_site.items():
        if len(notes) < 2:
            continue  # once, at the first use of something, is no habit
        longest = max(notes, key=lambda note: (bool(note["stack"]), note["seconds"]))
        message = (
            f"the event loop stands still for {longest['seconds'] * 1000:.0f} ms, and every other invocation with it"
        )
        fix = "await something that does not block, or run it in a thread: await asyncio.to_thread(...)"
        lines = [
            "where it stood, innermost last:",
            *longest["stack"][-5:],
        ]
        found.append(runs.finding("RUN109", site, message, fix, lines))
    return found


def _failed(runs: Runs) -> list[Finding]:
    together, alone = runs.together, runs.alone
    broken = next((run for run in (together, alone, runs.reversed) if run.is_broken), None)
    if broken is not None:
        return broke(runs, broken, one_by_one=broken is not together or runs.mode is Mode.PROCESS)
    found: dict[str, tuple[int, dict[str, Any]]] = {}
    for number, answer in sorted(together.answers.items()):
        other = alone.answers.get(number)
        if answer.error is not None and other is not None and other.error is None:
            found.setdefault(str(answer.error.get("errorType")), (number, answer.error))
    return [_failure(runs, number, error) for number, error in found.values()]


def broke(runs: Runs, run: Observation, *, one_by_one: bool) -> list[Finding]:
    """Return that a run hung or ended early, although the handler answers each event by itself."""
    hung = run.of("hung")
    if hung:
        return [_hung(runs, hung, one_by_one=one_by_one)]
    exited = next(iter(run.of("exited")), None)
    message = f"the process ends {'after some' if one_by_one else 'in the middle of'} invocations"
    what = [f"{name_of(exited['number'])} raises {exited['error']}"] if exited is not None else []
    lines = [*what, f"exit status {run.status}", *run.output.splitlines()[-MOST_EVIDENCE:]]
    site = site_of(exited) if exited is not None else None
    return [runs.finding("RUN114", site, message, "find out what ends it; the output is evidence", lines)]


def failing(runs: Runs, number: int, error: dict[str, Any]) -> list[Finding]:
    """Return that invocations fail once there was one before them."""
    return [_failure(runs, number, error, "after others")]


def _failure(runs: Runs, number: int, error: dict[str, Any], how: str = "") -> Finding:
    kind = error.get("errorType")
    told: list[Any] = error.get("stackTrace") or []
    trace = [str(line).strip().splitlines()[0] for line in told if str(line).strip()]
    how = how or ("after others" if runs.mode is Mode.PROCESS else "among others")
    message = f"an invocation fails with {kind} when it runs {how}, and not by itself"
    lines = [f"{name_of(number)}: {kind}: {error.get('errorMessage')}", *trace[-3:]]
    fix = "look for what invocations share on the way to the failing line"
    return runs.finding("RUN114", _raised_at(runs, trace), message, fix, [*lines, *runs.trace(set())])


def _raised_at(runs: Runs, trace: list[str]) -> Site | None:
    """The handler's own file in the trace, innermost."""
    path = runs.handler[0]
    for line in reversed(trace):
        file, _, rest = line.removeprefix("File ").partition(", line ")
        number = rest.split(",")[0].strip()
        if file.strip('"').endswith(path) and number.isdigit():
            return path, int(number), ""
    return None


def _hung(runs: Runs, notes: list[dict[str, Any]], *, one_by_one: bool) -> Finding:
    waiting = [note for note in notes if site_of(note) is not None]
    is_at = "waits at" if notes[0].get("stuck", True) else "is at"
    lines = [f"{is_at} {path}:{line} in {function}" for path, line, function in filter(None, map(site_of, waiting))]
    site = site_of(waiting[0]) if waiting else None
    if one_by_one:
        message = "an invocation hangs for what one before it has left, and never ends"
        fix = "free in the invocation what it has taken: with lock, a with statement, try and finally"
        return runs.finding("RUN114", site, message, fix, sorted(set(lines))[:MOST_EVIDENCE])
    message = "invocations wait for each other, and none of them ends"
    fix = "hold no lock across an await or a call that takes another lock; take locks in one order; set time limits"
    return runs.finding("RUN114", site, message, fix, sorted(set(lines))[:MOST_EVIDENCE])
