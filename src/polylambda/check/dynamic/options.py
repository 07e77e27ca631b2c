"""What a user asks for, and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from polylambda.check.finding import Finding, Mode


@dataclass(frozen=True)
class RunOptions:
    """A run of a handler, with interleaving driven on purpose.

    Attributes:
        target: the handler's name, such as `app.handler`; or that of a `LambdaRuntime`.
        events: payloads, each of them JSON; the invocations take them in turn.
        mode: what a slot is; by default `task` for an `async def` handler, `thread` for another.
        concurrency: invocations under way at a time.
        invocations: in all.
        seed: of the markers and the order; by default one is drawn.
        stall: seconds that the event loop may be kept from turning.
        timeout: seconds that an invocation may take, before the run counts as hung; all runs together take at most a few
            times that.
        names: what the user called the events, for `Ran.reproduce`; by default their JSON.
        root: folder of the project: the working directory, and whose code counts as the user's.
    """

    target: str
    events: tuple[bytes, ...]
    mode: Mode | None = None
    concurrency: int = 8
    invocations: int = 64
    seed: int | None = None
    stall: float = 0.1
    timeout: float = 30
    names: tuple[str, ...] = ()
    root: Path = field(default_factory=Path.cwd)


@dataclass(frozen=True)
class Ran:
    """What came of it.

    Attributes:
        findings: sorted; suppressions and the baseline are not applied yet.
        seed: that was used.
        mode: that was used.
        invocations: of each run; fewer than asked for when the handler is slow.
        reproduce: the command line that shows the findings again, with as few events, slots and invocations as do; empty
            when there are none.
        again: the options of that command line.
    """

    findings: tuple[Finding, ...]
    seed: int
    mode: Mode
    invocations: int
    reproduce: str
    again: RunOptions | None = None
