"""For people: by file, with the line, why it matters, the calls that lead there, and the fix. In colour on a terminal."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from polylambda.check.catalogue import RULES
from polylambda.check.output.report import page_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import IO

    from polylambda.check.finding import Finding, Step
    from polylambda.check.output.report import Report
    from polylambda.check.rule import Rule

_INDENT = "    "


def print_text(report: Report, file: IO[str]) -> None:
    """Print everything that a report has to say."""
    console = _console(file)
    for path, findings in groupby(report.findings, key=lambda each: each.path):
        console.print(Text(path, "bold"))
        for finding in findings:
            console.print(Text("\n").join(_finding(finding, report)), end="\n\n")
    for entry in report.gone:
        console.print(Text(f"gone from {entry.path}: {entry.rule} {entry.message}", "dim"))
    if report.gone:
        console.print(Text("--write-baseline leaves out what is gone", "dim"))
    if report.reproduce:
        console.print(Text.assemble(("again: ", "dim"), report.reproduce))
    if report.findings:
        console.print(Text("polylambda check --explain RULE tells all about a rule", "dim"))
    style = "bold red" if report.findings else "bold green"
    console.print(Text(report.summary(), style))


def print_rule(rule: Rule, file: IO[str]) -> None:
    """Print all that is known of a rule."""
    console = _console(file)
    console.print(Text.assemble((rule.id, "bold red"), "  ", (rule.name, "bold")))
    console.print(rule.summary)
    console.print()
    for mode, why in rule.why.items():
        console.print(Text.assemble((f"{mode}: ", "dim"), why))
    for title, text in (
        ("In production", rule.production),
        ("Unsafe", rule.unsafe),
        ("The fix", rule.fix),
        ("Safe", rule.safe),
    ):
        if text:
            console.print()
            console.print(Text(title, "bold"))
            console.print(Text(text.rstrip() if title not in ("Unsafe", "Safe") else _indented(text)))
    console.print()
    console.print(Text(f"{page_of(rule.id)} is its page in the documentation", "dim"))


def print_rules(file: IO[str]) -> None:
    """Print a line for each rule: its id, the modes in which it matters, and its summary."""
    console = _console(file)
    for rule in RULES.values():
        modes = ", ".join(rule.why)
        console.print(Text.assemble((f"{rule.id:9}", "bold"), (f"{modes:23}", "dim"), rule.summary))


def _console(file: IO[str]) -> Console:
    return Console(file=file, highlight=False, markup=False, emoji=False, soft_wrap=True)


def _finding(finding: Finding, report: Report) -> Iterable[Text]:
    yield Text.assemble(
        ("  "), (f"{finding.line}:{finding.column}", "cyan"), "  ", (finding.rule, "bold red"), "  ", finding.message
    )
    source = report.source_line(finding).strip()
    if source:
        yield Text.assemble(_INDENT, (f"{finding.line} | ", "dim"), source)
    for mode, why in report.why(finding):
        yield Text.assemble(_INDENT, (f"{mode}: ", "dim"), why)
    if finding.trail:
        yield Text.assemble(_INDENT, ("called: ", "dim"), " > ".join(map(_step, finding.trail)))
    for seen in finding.evidence:
        yield Text.assemble(_INDENT, ("seen: ", "dim"), seen)
    yield Text.assemble(_INDENT, ("fix: ", "dim"), (finding.fix, "green"))
    yield Text.assemble(_INDENT, ("more: ", "dim"), page_of(finding.rule))


def _step(step: Step) -> str:
    return f"{step.function} ({step.path}:{step.line})"


def _indented(code: str) -> str:
    return "\n".join(_INDENT + line if line else "" for line in code.strip("\n").splitlines())
