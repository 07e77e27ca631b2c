"""For GitHub Actions: workflow commands that become annotations in a pull request.

https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from polylambda.check.catalogue import RULES

if TYPE_CHECKING:
    from typing import IO

    from polylambda.check.finding import Finding
    from polylambda.check.output.report import Report


def print_github(report: Report, file: IO[str]) -> None:
    """Print a line for each finding, and the summary, which the log of the step shows."""
    for finding in report.findings:
        file.write(f"{_annotation(finding, report)}\n")
    for problem in report.problems:
        file.write(f"::warning title=polylambda check::{_data(problem)}\n")
    file.write(f"{report.summary()}\n")


def _annotation(finding: Finding, report: Report) -> str:
    rule = RULES.get(finding.rule)
    title = f"{finding.rule} {rule.name}" if rule is not None else finding.rule
    properties = {"file": finding.path, "line": finding.line, "col": finding.column, "title": title}
    told = ",".join(f"{name}={_property(str(value))}" for name, value in properties.items())
    lines = [finding.message, *(f"{mode}: {why}" for mode, why in report.why(finding))]
    if finding.trail:
        lines.append("called: " + " > ".join(f"{each.function} ({each.path}:{each.line})" for each in finding.trail))
    lines += [*finding.evidence, f"fix: {finding.fix}"]
    return f"::error {told}::{_data(chr(10).join(lines))}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
