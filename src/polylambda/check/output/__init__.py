"""Findings, printed: for people, for programs, for code scanning, for GitHub Actions.

What is printed is a `Report`; nothing here decides what is a finding.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import IO

    from polylambda.check.output.report import Report


class Format(StrEnum):
    """How findings are printed."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"
    GITHUB = "github"


def print_report(report: Report, chosen: Format, file: IO[str]) -> None:
    """Print a report to a file, in the format that was chosen."""
    match chosen:
        case Format.TEXT:
            from polylambda.check.output.text import print_text as write
        case Format.JSON:
            from polylambda.check.output.data import print_json as write
        case Format.SARIF:
            from polylambda.check.output.sarif import print_sarif as write
        case Format.GITHUB:
            from polylambda.check.output.github import print_github as write
    write(report, file)
