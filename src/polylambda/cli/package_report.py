"""What `polylambda package` tells: an artifact's parts and sizes, what to do next, and how a trial went."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from polylambda.local.once import FUNCTION_ERROR, NOT_RUN, SUCCESS
from polylambda.local.screen import Screen
from polylambda.package.diagnosis import way_out
from polylambda.package.limits import in_mib
from polylambda.package.trial import Request, Tried, run_trial
from polylambda.server.broker import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from polylambda.package.build import Built
    from polylambda.package.manifest import Manifest

_SHOWN = 10
"""Parts of an artifact that are listed."""
_SERVER_ERROR = 500
"""From this HTTP status on, the function says itself that it failed."""


def progress(text: str) -> None:
    """Tell what is being done."""
    _console(sys.stderr).print(Text(f"{text} ...", "dim"))


def show(built: Built, *, aside: bool = False) -> None:
    """Print what was built; `aside`: to stderr, for something else is the result."""
    order, console = built.order, _console(sys.stderr if aside else sys.stdout)
    parts = [(weight.size, weight.name) for weight in built.weights[:_SHOWN]]
    if others := built.weights[_SHOWN:]:
        parts.append((sum(weight.size for weight in others), f"{len(others)} more"))
    zipped = f"{in_mib(built.zipped)}, " if built.zipped else ""
    what = f"{order.kind} for {order.target}"
    would = "nothing was written; it would be " if order.dry_run else ""
    console.print(
        Text.assemble(would, (str(order.out), "bold"), f": {what}, {zipped}{in_mib(built.unzipped)} unpacked")
    )
    for size, name in parts:
        console.print(f"{in_mib(size):>11}  {name}")
    for note in built.notes:
        console.print(Text(note, "dim"))


def show_steps(steps: Sequence[tuple[str, str]], *, aside: bool = False) -> None:
    """Print what may be done next; `aside`: to stderr, for something else is the result."""
    console = _console(sys.stderr if aside else sys.stdout)
    for purpose, command in steps:
        console.print(Text.assemble((f"{purpose}:\n", "dim"), f"  {command}"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """How artifacts are tried.

    Attributes:
        event: JSON; None: the function is only started.
        layers: zip files for /opt.
        variables: environment variables for the function.
        timeout: seconds that start and invocation may take.
        manifest: the project's.
    """

    event: bytes | None
    layers: tuple[Path, ...]
    variables: Mapping[str, str]
    timeout: float
    manifest: Manifest

    def run(self, artifact: Path, *, python: str) -> int:
        """Run an artifact as Lambda would: its result goes to stdout, the rest to stderr. Return the exit status.

        Raises:
            ConfigurationError: it cannot be run on this machine.
        """
        screen = Screen(sys.stderr)
        progress(f"running {artifact.name} as Lambda would")
        request = Request(
            artifact=artifact,
            layers=self.layers,
            event=self.event,
            handler=self.manifest.handler,
            python=python,
            variables=self.variables,
            timeout=self.timeout,
        )
        tried = run_trial(request, lambda _, line: screen.output(line))
        return self._tell(tried, screen)

    def _tell(self, tried: Tried, screen: Screen) -> int:
        head = tried.head
        refused = head is not None and head.status >= _SERVER_ERROR
        if head is not None:
            screen.event(f"HTTP {head.status}", style="bold red" if refused else "dim")
        if tried.body and tried.outcome is Outcome.SUCCESS:
            out = sys.stdout.buffer
            out.write(tried.body if tried.body.endswith(b"\n") else tried.body + b"\n")
            out.flush()
        if tried.error:
            kind, message = tried.error.get("errorType"), tried.error.get("errorMessage", "")
            screen.problem(f"{kind}: {message}" if kind else str(message))
            requirements = self.manifest.requirements
            advice = way_out(tried.error, self.manifest.root, requirements.name if requirements else "requirements.txt")
            if advice:
                screen.problem(advice)
        for name in tried.written:
            screen.problem(
                f"it wrote {name}, and on Lambda only /tmp can be written to: use tempfile or context.tmp_dir"
            )
        if not tried.started or tried.outcome in (Outcome.FAILURE, Outcome.TIMEOUT):
            return NOT_RUN
        if refused or tried.written or tried.outcome not in (None, Outcome.SUCCESS):
            return FUNCTION_ERROR
        what = "it started" if tried.outcome is None else "it started and answered"
        more = "; give it an event with --event" if tried.outcome is None else ""
        screen.event(f"{what}, on {tried.note}{more}")
        return SUCCESS


def _console(file: object) -> Console:
    return Console(file=file, highlight=False, markup=False, emoji=False, soft_wrap=True)  # type: ignore[arg-type]
