"""Data of one invocation in what another answers, logs, reads, finds or computes with: RUN101 to RUN105. Pure."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from polylambda.check.dynamic.runs import MOST_EVIDENCE, Runs, Site, name_of, site_of

if TYPE_CHECKING:
    from polylambda.check.finding import Finding

_KEEP = "keep it in local variables, pass it as an argument, or use a ContextVar"


def leaking(runs: Runs) -> list[Finding]:
    """Return what leaks."""
    pairs: set[tuple[int, int]] = set()  # who has whose data, as far as it shows
    found = [*_answers(runs, pairs), *_logs(runs, pairs), *_files(runs, pairs), *_variables(runs, pairs)]
    return [*found, *_values(runs, pairs)]


def _answers(runs: Runs, pairs: set[tuple[int, int]]) -> list[Finding]:
    evidence: list[str] = []
    mine: set[tuple[int, int]] = set()
    for number, answer in sorted(runs.together.answers.items()):
        body = answer.body.decode(errors="replace") if answer.error is None else json.dumps(answer.error)
        others = sorted(runs.marks.find(body) - {number})
        if others:
            mine |= {(number, other) for other in others}
            whose = f"{name_of(number)} answered with data of {name_of(0, others)}"
            evidence.append(f"{whose}: {_around(body, runs.marks.of(others[0]))}")
    if not mine:
        return []
    pairs |= mine
    seen = runs.first_sight(mine)
    message = f"an invocation answers with data of one that {runs.how}"
    shown = [*evidence[:MOST_EVIDENCE], *runs.trace(mine)]
    return [runs.finding("RUN101", site_of(seen) if seen else None, message, _KEEP, shown)]


def _logs(runs: Runs, pairs: set[tuple[int, int]]) -> list[Finding]:
    found: list[Finding] = []
    for site, notes in _by_site(runs.together.of("logged")).items():
        mine = _pairs(notes)
        pairs |= mine
        lines = [f"logged by {name_of(note['number'])}: {note['line']}" for note in notes[:MOST_EVIDENCE]]
        message = f"a log line of an invocation has data of one that {runs.how}"
        found.append(runs.finding("RUN102", site, message, _KEEP, [*lines, *runs.trace(mine)]))
    return found


def _files(runs: Runs, pairs: set[tuple[int, int]]) -> list[Finding]:
    found: list[Finding] = []
    fix = "use context.tmp_dir, tempfile, or a name with the request id in it"
    for kind, did in (("read", "reads"), ("wrote", "writes")):
        notes = [
            note
            for note in runs.together.of(kind)
            if kind == "read" or len(_writers(runs, note["path"])) == 1  # else it is one file written by two
        ]
        for site, same in _by_site(notes).items():
            mine = _pairs(same)
            pairs |= mine
            name = same[0]["path"]
            message = f"an invocation {did} a file with data of one that {runs.how}: {name}"
            lines = [
                f"{name_of(note['number'])} {did} {note['path']}, with data of {name_of(0, note['others'])}"
                for note in same[:MOST_EVIDENCE]
            ]
            found.append(runs.finding("RUN103", site, message, fix, [*lines, *runs.trace(mine)]))
    return found


def _variables(runs: Runs, pairs: set[tuple[int, int]]) -> list[Finding]:
    found: list[Finding] = []
    by_name: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for note in runs.together.of("variable"):
        by_name[note["name"]].append(note)
    for name, notes in sorted(by_name.items()):
        pairs |= _pairs(notes)
        set_at = next((site_of(note) for note in runs.together.of("putenv") if note["name"] == name), None)
        lines = [
            f"{name_of(note['number'])} has {name}={note['value']}, data of {name_of(0, note['others'])}"
            for note in notes[:MOST_EVIDENCE]
        ]
        message = f"the environment variable {name} has data of an invocation that {runs.how}"
        fix = "pass it as an argument; to a child process, as its env="
        found.append(runs.finding("RUN104", set_at, message, fix, lines))
    return found


def _values(runs: Runs, pairs: set[tuple[int, int]]) -> list[Finding]:
    """What only shows in what functions return: nothing of it has left the process."""
    found: list[Finding] = []
    notes = [note for note in runs.together.of("saw") if note["name"] == "return"]
    for site, same in _by_site(notes).items():
        mine = _pairs(same)
        if mine & pairs:
            continue  # told already, with more evidence
        function = site[2] if site else "a function"
        lines = [
            f"in {name_of(note['number'])} {function} returned data of {name_of(0, note['others'])}: {note['value']}"
            for note in same[:MOST_EVIDENCE]
        ]
        message = f"{function} gives an invocation data of one that {runs.how}"
        found.append(runs.finding("RUN105", site, message, _KEEP, [*lines, *runs.trace(mine)]))
    return found


def _writers(runs: Runs, path: str) -> set[int]:
    return {note["number"] for note in runs.together.of("file") if note["path"] == path}


def _pairs(notes: list[dict[str, Any]]) -> set[tuple[int, int]]:
    return {(note["number"], other) for note in notes for other in note["others"]}


def _by_site(notes: list[dict[str, Any]]) -> dict[Site | None, list[dict[str, Any]]]:
    found: defaultdict[Site | None, list[dict[str, Any]]] = defaultdict(list)
    for note in notes:
        found[site_of(note)].append(note)
    return found


def _around(text: str, marker: str, width: int = 80) -> str:
    """The text, or what of it is around the marker."""
    at = text.lower().find(marker)
    if len(text) <= 2 * width or at < 0:
        return text[: 2 * width]
    return f"...{text[max(0, at - width) : at + len(marker) + width]}..."
