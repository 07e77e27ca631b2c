"""What the developer sees: a line for each invocation, the function's own output, and what happens to the runtime.

In colour on a terminal, plain elsewhere.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from polylambda.server.broker import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import IO

    from polylambda.local.function import Run

_STYLES = {
    Outcome.SUCCESS: "green",
    Outcome.PENDING: "yellow",
    Outcome.ERROR: "red",
    Outcome.TIMEOUT: "red",
    Outcome.FAILURE: "red",
    Outcome.TRUNCATED: "red",
}
_WORDS = {Outcome.SUCCESS: "ok", Outcome.PENDING: "hung up"}

_TAG = re.compile(r"([0-9a-f]{8})-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\t")
_TRACEBACK = "Traceback (most recent call last):"
_FRAME = re.compile(r'(\s*File )("[^"]*")(, line )(\d+)(, in )?(.*)')


class Screen:
    """Prints what happens, one line at a time."""

    def __init__(self, file: IO[str], *, colour: bool | None = None) -> None:
        """Print to `file`; `colour` is a matter of `file` being a terminal unless told."""
        self._console = Console(
            file=file, force_terminal=colour, highlight=False, markup=False, emoji=False, soft_wrap=True
        )
        self._traceback_of: str | None = None  # whose it is, when the next line may belong to one

    def invocation(self, run: Run) -> None:
        """Tell how an invocation ended: time, id, what was asked for, outcome, milliseconds, bytes."""
        outcome = run.outcome
        word = "refused" if run.response is None and run.note else _WORDS.get(outcome, outcome.value)
        line = self._stamp()
        line.append(f"{run.request_id[:8]}  ", "cyan")
        line.append(f"{run.label}  ")
        line.append(word, _STYLES[outcome])
        line.append(f"  {run.duration * 1000:.1f} ms  {run.size} B")
        error_type = run.response.error_type if run.response is not None else None
        if error_type == "Runtime.Unknown":  # what the platform makes of a type that it does not know
            error_type = None
        for remark in filter(None, (error_type, run.note)):
            line.append(f"  {remark}", "red")
        self._console.print(line)

    def event(self, text: str, *, style: str = "dim") -> None:
        """Tell what the server does."""
        self._console.print(self._stamp().append(text, style))

    def problem(self, text: str) -> None:
        """Tell what went wrong."""
        self.event(text, style="bold red")

    def banner(self, title: str, ways_in: Mapping[str, str]) -> None:
        """Tell at the start what runs, and the ways in: what they are for, and how to say it."""
        self._console.print(Text(title, "bold"))
        width = max(map(len, ways_in))
        for purpose, way in ways_in.items():
            self._console.print(Text.assemble("  ", (f"{purpose:{width}}  ", "dim"), way))

    def output(self, line: bytes) -> None:
        """Pass a line of the function's output on; tracebacks get colours.

        The lines of an error are joined by carriage returns, and indented with no-break spaces, for CloudWatch's sake. A
        request id before a line, which tells the invocations of a managed runtime apart, is as short as in their lines.
        """
        whole = line.decode("utf-8", "replace").replace("\xa0", " ")
        tag = _TAG.match(whole)
        whose, before = (tag[1], Text(f"{tag[1]}  ", "cyan")) if tag is not None else ("", Text())
        for text in whole[tag.end() if tag is not None else 0 :].split("\r"):
            self._console.print(Text.assemble(before, self._coloured(text, whose)))
        if b"\r" in line:
            self._traceback_of = None

    def _coloured(self, text: str, whose: str) -> Text:
        if text.startswith("[ERROR]") or text.rstrip() == _TRACEBACK:
            self._traceback_of = whose
            return Text(text, "bold red")
        if self._traceback_of != whose:
            return Text.from_ansi(text) if "\x1b" in text else Text(text)
        frame = _FRAME.fullmatch(text)
        if frame is not None:
            styles = ("dim", "cyan", "dim", "magenta", "dim", "bold")
            return Text.assemble(*zip(map(str, frame.groups("")), styles, strict=True))
        if text.startswith(" "):
            return Text(text)
        self._traceback_of = None
        return Text(text, "bold red")

    def _stamp(self) -> Text:
        now = time.time()
        clock = f"{time.strftime('%H:%M:%S', time.localtime(now))}.{int(now * 1000) % 1000:03}"
        return Text().append(f"{clock}  ", "dim")
