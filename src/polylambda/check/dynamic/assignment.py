"""One run of the handler in a process of its own: what the process is told, and what it tells."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """What a process is to do.

    Attributes:
        target: the handler's name.
        root: folder of the project, the working directory.
        mode: `task`, `thread` or `process`.
        slots: of the runtime.
        waves: invocations that begin together; 1: they come one at a time.
        last: number after the last invocation's.
        seed: of the markers and the schedule.
        switching: have invocations take turns at bytecode boundaries.
        returns: look at what the project's functions return for data of others.
        lines: look at every line, and in the end at what is kept.
        probes: invocations at whose beginning the state is measured.
        thorough: name what has grown wherever it is.
        stall: seconds that the event loop may not turn.
        patience: seconds that all may wait for each other.
        timeout: seconds that nothing may happen in.
        longest: seconds in which at least one invocation must end.
        environ: variables that Lambda sets.
        folder: for the notes, the output and temporary files.
    """

    target: str
    root: str
    mode: str
    slots: int
    waves: int
    last: int
    seed: int
    switching: bool = False
    returns: bool = False
    lines: bool = False
    probes: tuple[int, ...] = ()
    thorough: bool = False
    stall: float = 0.1
    patience: float = 0.5
    timeout: float = 30.0
    longest: float = 30.0
    environ: dict[str, str] = field(default_factory=dict[str, str])
    folder: str

    def to_json(self) -> str:
        """Return it as a line of text."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, line: str) -> Assignment:
        """Return what `to_json` made a line of."""
        fields: dict[str, Any] = json.loads(line)
        fields["probes"] = tuple(fields["probes"])
        return cls(**fields)

    @property
    def notes(self) -> str:
        """The file of what was seen."""
        return os.path.join(self.folder, "notes")

    @property
    def output(self) -> str:
        """The file of what was written to stdout and stderr."""
        return os.path.join(self.folder, "output")

    @property
    def temporary(self) -> str:
        """The folder for temporary files."""
        return os.path.join(self.folder, "tmp")
