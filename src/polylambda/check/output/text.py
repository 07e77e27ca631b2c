"""For people: by file, with the line, why it matters, the calls that lead there, and the fix. In colour on a terminal."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from polylambda.check.catalogue import RULES

if TYPE_CHECKING:
    from typing import IO

    from polylambda.check.finding import Finding, Step
    from polylambda.check.output.report import Report
    from polylambda.check.rule import Rule

_INDENT = 4
_HANGING = 4  # columns more, for what is left of a line that a terminal is too narrow for
_NARROW = 20  # columns, below which nothing is wrapped


class _Page:
    """Where the text goes: wrapped on a terminal, never in a file or a pipe, where programs read lines."""

    def __init__(self, file: IO[str]) -> None:
        self._console = Console(file=file, highlight=False, markup=False, emoji=False, soft_wrap=True)
        self._wraps = file.isatty()

    def line(self, text: Text | str = "", indent: int = 0, hanging: int = _HANGING, *, whole: bool = False) -> None:
        """Write a line; on a terminal that is narrower, the rest of it stands below, further in, unless it is for copying."""
        text = Text(text) if isinstance(text, str) else text
        room = self._console.width - indent - hanging
        if whole or not self._wraps or room < _NARROW or len(text) <= room + hanging:
            self._console.print(Text(" " * indent) + text)
            return
        first, *others = text.wrap(self._console, room)
        first.rstrip()
        self._console.print(Text(" " * indent) + first)
        for each in others:
            each.rstrip()
            self._console.print(Text(" " * (indent + hanging)) + each)


def print_text(report: Report, file: IO[str]) -> None:
    """Print everything that a report has to say; what is the same for all findings of a rule, at the first of them."""
    page = _Page(file)
    told: set[str] = set()
    for path, findings in groupby(report.findings, key=lambda each: each.path):
        page.line(Text(path, "bold"))
        for finding in findings:
            _print_finding(finding, report, page, told)
            page.line()
    for entry in report.gone:
        page.line(Text(f"gone from {entry.path}: {entry.rule} {entry.message}", "dim"))
    if report.gone:
        page.line(Text("--write-baseline leaves out what is gone", "dim"))
    for problem in report.problems:
        page.line(Text.assemble(("problem: ", "bold yellow"), problem))
    if report.reproduce and report.findings:
        page.line(Text.assemble(("again: ", "dim"), report.reproduce), whole=True)
    page.line(
        Text(report.summary(), "bold red" if report.findings else "bold yellow" if report.problems else "bold green")
    )


def print_rule(rule: Rule, file: IO[str]) -> None:
    """Print all that is known of a rule."""
    page = _Page(file)
    page.line(Text.assemble((rule.id, "bold red"), "  ", (rule.name, "bold")))
    page.line(rule.summary, hanging=0)
    page.line()
    for mode, why in rule.why.items():
        page.line(Text.assemble((f"{mode}: ", "dim"), why))
    for title, text in (
        ("In production", rule.production),
        ("Unsafe", rule.unsafe),
        ("The fix", rule.fix),
        ("Safe", rule.safe),
    ):
        page.line()
        page.line(Text(title, "bold"))
        if title in ("Unsafe", "Safe"):
            for line in text.strip("\n").splitlines():
                page.line(line, indent=_INDENT if line else 0)
        else:
            page.line(text.rstrip(), hanging=0)


def print_rules(file: IO[str]) -> None:
    """Print a line for each rule: its id, the modes in which it matters, and its summary."""
    page = _Page(file)
    for rule in RULES.values():
        modes = ", ".join(rule.why)
        page.line(Text.assemble((f"{rule.id:9}", "bold"), (f"{modes:23}", "dim"), rule.summary), hanging=9)


def _print_finding(finding: Finding, report: Report, page: _Page, told: set[str]) -> None:
    place = (f"{finding.line}:{finding.column}", "cyan")
    page.line(Text.assemble(place, "  ", (finding.rule, "bold red"), "  ", finding.message), indent=2)
    source = report.source_line(finding).strip()
    if source:
        page.line(Text.assemble((f"{finding.line} | ", "dim"), source), indent=_INDENT)
    is_first = finding.rule not in told
    told.add(finding.rule)
    if is_first:
        for mode, why in report.why(finding):
            page.line(Text.assemble((f"{mode}: ", "dim"), why), indent=_INDENT)
    if finding.trail:
        page.line(Text.assemble(("called: ", "dim"), " > ".join(map(_step, finding.trail))), indent=_INDENT)
    for seen in finding.evidence:
        for line in Text.assemble(("seen: ", "dim"), seen).split("\n"):
            page.line(line, indent=_INDENT)
    # The fix of a rule may name what fits the thing at hand: another one is told again.
    fix = f"{finding.rule} {finding.fix}"
    if fix not in told:
        told.add(fix)
        page.line(Text.assemble(("fix: ", "dim"), (finding.fix, "green")), indent=_INDENT)
    if is_first and finding.rule in RULES:
        page.line(Text.assemble(("more: ", "dim"), f"polylambda check --explain {finding.rule}"), indent=_INDENT)


def _step(step: Step) -> str:
    return f"{step.function} ({step.path}:{step.line})"
