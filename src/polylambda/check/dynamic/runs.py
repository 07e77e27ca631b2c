"""The runs that are judged together, and how a judgement becomes a finding."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from polylambda.check.dynamic.observation import Observation
from polylambda.check.finding import Finding, Mode

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from polylambda.check.dynamic.marks import Marks

MOST_EVIDENCE = 4  # lines of a kind
Site = tuple[str, int, str]


@dataclass(slots=True)
class Runs:
    """What was observed; see `rehearsal` for what the runs are.

    Attributes:
        marks: by which data are recognised.
        mode: what a slot is.
        invocations: of each run.
        events: how many different ones the invocations take in turn.
        longer: a sequential run with more invocations, if there was a reason for one.
        explained: a run like `together` in which every line was looked at, once there is something to explain.
    """

    marks: Marks
    mode: Mode
    invocations: int
    together: Observation
    alone: Observation = field(default_factory=Observation)
    again: Observation = field(default_factory=Observation)
    reversed: Observation = field(default_factory=Observation)
    longer: Observation | None = None
    explained: Observation | None = None
    events: int = 1

    @property
    def handler(self) -> Site:
        """Where the handler is defined."""
        for run in (self.together, self.alone):
            for note in run.of("handler"):
                return site_of(note) or ("?", 1, "handler")
        return "?", 1, "handler"

    @property
    def how(self) -> str:
        """How the invocations ran, for messages."""
        return "ran before it in the process" if self.mode is Mode.PROCESS else "ran at the same time"

    def finding(self, rule: str, site: Site | None, message: str, fix: str, evidence: Iterable[str]) -> Finding:
        """Return a finding at `site`, by default at the handler."""
        path, line, _ = site or self.handler
        return Finding(
            path=path,
            line=line,
            column=1,
            rule=rule,
            message=message,
            fix=fix,
            modes=(self.mode,),
            evidence=tuple(evidence),
        )

    def first_sight(self, pairs: set[tuple[int, int]]) -> dict[str, Any] | None:
        """Return the first note of an invocation that had data of another, of these pairs or else of any."""
        runs = [run for run in (self.explained, self.together) if run is not None]
        notes = [note for run in runs for note in run.of("saw")]
        matching = [note for note in notes if any((note["number"], other) in pairs for other in note["others"])]
        return next(iter(matching or notes), None)

    def trace(self, pairs: set[tuple[int, int]]) -> list[str]:
        """Return lines that say where data were first seen in the wrong invocation, and where they are kept."""
        lines: list[str] = []
        seen = self.first_sight(pairs)
        if seen is not None:
            path, line, function = seen["site"]
            what = "the value it returns" if seen["name"] == "return" else f"the variable {seen['name']}"
            lines.append(f"first seen at {path}:{line} in {function}: {what} is {seen['value']}")
        if self.explained is not None:
            kept = [place for note in self.explained.of("kept") for each in note["places"].values() for place in each]
            if kept:
                lines.append(f"kept in {', '.join(sorted(set(kept), key=kept.index)[:3])}")
        return lines


def site_of(note: dict[str, Any]) -> Site | None:
    """Return the place in the project's code that a note has, if it has one."""
    site = note.get("site")
    return (site[0], site[1], site[2]) if site else None


def name_of(number: int, others: Sequence[int] = ()) -> str:
    """Return how an invocation is called, or others."""
    if not others:
        return f"invocation {number}"
    return f"invocation {others[0]}" if len(others) == 1 else f"invocations {', '.join(map(str, others[:4]))}"
