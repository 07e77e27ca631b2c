"""What a scenario is: subjects that are measured in turn, and the bars that polylambda has to reach."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from harness.events import event_text

PRODUCTION = {"AWS_EXECUTION_ENV": "AWS_Lambda_python3.13"}
NOOP_RESULT = {"statusCode": 200}

Group = Literal["single", "concurrent"]
GROUPS: tuple[Group, ...] = ("single", "concurrent")


@dataclass(frozen=True)
class Subject:
    """A runtime with a handler.

    `runtime` is a module to run with -m, "program": the file program.py, or "client": the C program. `slots` is for a
    subject that has not as many as its scenario, and `against` for one that is not compared with the first subject.
    """

    name: str
    runtime: str
    handler: str
    environment: dict[str, str] = field(default_factory=dict[str, str])
    slots: int | None = None
    against: str | None = None


@dataclass(frozen=True)
class Bar:
    """What a subject has to reach: a ratio to what it is compared with, or a figure of its own (`absolute`)."""

    subject: str
    metric: str
    bound: float
    at_least: bool
    absolute: bool = False


@dataclass(frozen=True)
class Scenario:
    """Subjects that get the same events in turn; the first one is the baseline.

    `kind` is what is measured: a `load` for some time, `starts`, `memory` at rest after some load, or `calls` through
    AWS's emulator. `handler_seconds` is what a handler waits, if it does; `stretch` makes a round longer, where begin and
    end would else count for too much. `placement` is for a scenario that makes sense in one placement only.
    """

    name: str
    title: str
    event: str
    subjects: tuple[Subject, ...]
    bars: tuple[Bar, ...]
    kind: Literal["load", "starts", "memory", "calls"] = "load"
    group: Group = "single"
    slots: int = 1
    handler_seconds: float = 0.0
    stretch: int = 1
    placement: str | None = None

    @property
    def baseline(self) -> Subject:
        return self.subjects[0]

    def slots_of(self, subject: Subject) -> int:
        """Return how many invocations a subject may have at a time."""
        return subject.slots or self.slots

    def against(self, subject: Subject) -> str:
        """Return the name of what a subject is compared with."""
        return subject.against or self.baseline.name

    def event_text(self) -> str:
        """Return the event, JSON."""
        return event_text(self.event)

    def expected_result(self) -> Any:
        """Return what a right answer decodes to."""
        return NOOP_RESULT if self.event == "small" else json.loads(self.event_text())

    def only(self, names: list[str]) -> Scenario:
        """Keep the subjects whose names begin with one of these, and what they are compared with."""
        chosen = [subject for subject in self.subjects if subject.name.startswith(tuple(names))]
        keep = {self.baseline.name, *(subject.name for subject in chosen), *map(self.against, chosen)}
        kept = tuple(subject for subject in self.subjects if subject.name in keep)
        return replace(self, subjects=kept, bars=tuple(bar for bar in self.bars if bar.subject in keep))


def at_least(subject: str, metric: str, bound: float, *, absolute: bool = False) -> Bar:
    """Return the bar under which `metric` must not be."""
    return Bar(subject, metric, bound, at_least=True, absolute=absolute)


def at_most(subject: str, metric: str, bound: float, *, absolute: bool = False) -> Bar:
    """Return the bar over which `metric` must not be."""
    return Bar(subject, metric, bound, at_least=False, absolute=absolute)
