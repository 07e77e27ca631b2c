"""What an invocation leaves behind, every time: RUN108 and RUN110 to RUN113. Pure.

Everything is measured at the same points of a sequential run; what grows from point to point by about as much as there were
invocations between them is growing with every one, and no cache that fills up.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from polylambda.check.dynamic.runs import MOST_EVIDENCE, Runs, Site, site_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polylambda.check.dynamic.observation import Observation
    from polylambda.check.finding import Finding

BOUNDABLE = {"sizes", "kinds", "texts"}
"""What may have a bound: it is seen in a longer run."""

_ACCOUNTS = ("asyncio", "_asyncio", "threading", "_weakrefset", "a ")
_SHARE = 0.25  # of the invocations, that must have left something


def probes(invocations: int) -> tuple[int, ...]:
    """Return the invocations before which to measure; none when there are too few to tell growth from chance."""
    if invocations < 8:
        return ()
    return invocations // 3, 2 * invocations // 3, invocations - 1


def growth(run: Observation) -> dict[str, dict[str, list[int]]]:
    """Return what grows in a run: of each kind (sizes, kinds, texts, tasks, threads, descriptors) names and sizes."""
    measured = next(iter(run.of("measured")), None)
    if measured is None:
        return {}
    points: list[dict[str, Any]] = measured["points"]
    if len(points) < 3:
        return {}
    steps = [after["number"] - before["number"] for before, after in pairwise(points)]
    found: dict[str, dict[str, list[int]]] = {}
    for kind in ("sizes", "kinds", "texts", "tasks"):
        for name in points[-1][kind]:
            values = [point[kind].get(name, 0) for point in points]
            label = measured["names"].get(name, "") if kind == "sizes" else name
            if label and _grows(values, steps):
                found.setdefault(kind, {})[label] = values
    for kind in ("threads", "descriptors"):
        values = [point[kind] for point in points]
        if _grows(values, steps):
            found[kind] = {"": values}
    return found


def growing(runs: Runs) -> list[Finding]:
    """Return what keeps growing."""
    grown = growth(runs.alone)
    if runs.longer is not None:
        longer = growth(runs.longer)
        grown = {kind: names for kind, names in grown.items() if kind not in BOUNDABLE}
        grown |= {kind: names for kind, names in longer.items() if kind in BOUNDABLE}
    return [*_state(runs, grown), *_tasks(runs, grown), *_counted(runs, grown), *_temporary(runs)]


def _state(runs: Runs, grown: dict[str, dict[str, list[int]]]) -> list[Finding]:
    containers = grown.get("sizes", {}) | grown.get("texts", {})
    if "tasks" in grown or "threads" in grown:  # which the library keeps account of
        containers = {name: values for name, values in containers.items() if not name.startswith(_ACCOUNTS)}
    if containers:
        name = min(containers, key=lambda each: (each.count("["), len(each)))
        lines = [f"{each}: {_shown(values)} items" for each, values in containers.items()][:MOST_EVIDENCE]
        message = f"{name} grows with every invocation"
    elif grown.get("kinds") and "tasks" not in grown and "threads" not in grown:
        kinds = grown["kinds"]
        name = next(iter(kinds))
        lines = [f"{each}: {_shown(values)} objects" for each, values in kinds.items()][:MOST_EVIDENCE]
        message = f"objects of {name} stay after every invocation"
    else:
        return []
    fix = "bound it (functools.lru_cache(maxsize=...), collections.deque(maxlen=...)), or drop it when the invocation ends"
    return [runs.finding("RUN108", None, message, fix, lines)]


def _tasks(runs: Runs, grown: dict[str, dict[str, list[int]]]) -> list[Finding]:
    found: list[Finding] = []
    for name, values in grown.get("tasks", {}).items():
        path, line, function = name.rsplit(":", 2)
        message = f"every invocation leaves a task of {function} that does not end"
        fix = "await it, or cancel it when the invocation ends; asyncio.TaskGroup does both"
        found.append(runs.finding("RUN110", (path, int(line), function), message, fix, [f"tasks: {_shown(values)}"]))
    return found


def _counted(runs: Runs, grown: dict[str, dict[str, list[int]]]) -> list[Finding]:
    found: list[Finding] = []
    if "threads" in grown:
        fix = "join it, use one executor for all invocations, or shut yours down: with ThreadPoolExecutor() as pool"
        message = "every invocation leaves a thread that does not end"
        found.append(_counted_finding(runs, "RUN111", "thread", message, fix, grown["threads"][""]))
    if "descriptors" in grown:
        fix = "close it: with open(...) as file; share clients that keep connections"
        message = "every invocation leaves an open file or socket"
        kind = "socket" if runs.alone.of("socket") else "file"
        found.append(_counted_finding(runs, "RUN112", kind, message, fix, grown["descriptors"][""]))
    return found


def _counted_finding(runs: Runs, rule: str, kind: str, message: str, fix: str, values: Sequence[int]) -> Finding:
    site = next((site_of(note) for note in runs.alone.of(kind) if site_of(note) is not None), None)
    return runs.finding(rule, site, message, fix, [f"{kind}s: {_shown(values)}"])


def _temporary(runs: Runs) -> list[Finding]:
    by_site: defaultdict[Site | None, list[dict[str, Any]]] = defaultdict(list)
    for note in runs.alone.left.values():
        by_site[site_of(note)].append(note)
    found: list[Finding] = []
    for site, notes in by_site.items():
        numbers = {note["number"] for note in notes}
        if len(numbers) < max(2, runs.invocations * _SHARE * 2):
            continue
        lines = [f"{len(notes)} are left of {runs.invocations} invocations, such as {notes[0]['path']}"]
        message = "every invocation leaves a temporary file"
        fix = "use context.tmp_dir, which is removed after the invocation, or tempfile in a with statement"
        found.append(runs.finding("RUN113", site, message, fix, lines))
    return found


def _grows(values: Sequence[int], steps: Sequence[int]) -> bool:
    return all(
        after - before >= max(1, _SHARE * step) for before, after, step in zip(values, values[1:], steps, strict=False)
    )


def _shown(values: Sequence[int]) -> str:
    return " -> ".join(map(str, values))
