"""What is reported: a finding, and the modes in which it matters."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Mode(StrEnum):
    """What a slot is, as `AWS_LAMBDA_CONCURRENCY_MODE` has it; `hybrid` is `task` or `thread` in each process."""

    TASK = "task"
    THREAD = "thread"
    PROCESS = "process"


@dataclass(frozen=True, slots=True, order=True)
class Step:
    """A call on the way from the handler: who calls, and where."""

    function: str
    path: str
    line: int


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """Something unsafe.

    Attributes:
        path: the file, relative to the project where it is below it.
        line: of the statement, from 1.
        column: of the statement, from 1.
        rule: its id in the catalogue.
        message: one line that names the thing.
        fix: the smallest change that makes it safe, one line.
        modes: in which it is unsafe.
        trail: the calls that lead there, from the handler on.
        evidence: what was seen when it ran, a line each; empty when nothing ran.
    """

    path: str
    line: int
    column: int
    rule: str
    message: str
    fix: str
    modes: tuple[Mode, ...]
    trail: tuple[Step, ...] = ()
    evidence: tuple[str, ...] = ()
