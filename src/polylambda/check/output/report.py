"""What there is to print: the findings that are left, and what became of the others."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from polylambda.check.catalogue import RULES

if TYPE_CHECKING:
    from pathlib import Path

    from polylambda.check.baseline import Entry
    from polylambda.check.finding import Finding, Mode


@dataclass(frozen=True, slots=True)
class Report:
    """The result of a check.

    Attributes:
        findings: those that count, sorted.
        root: the folder that their paths are relative to.
        modes: those that were checked for.
        files: how many were read; None when the function ran instead.
        handlers: how many were followed; None when the function ran instead.
        followed: how many functions were, with the handlers; None when the function ran instead.
        problems: what could not be read, parsed or followed to its end, a sentence each.
        suppressed: how many findings a comment suppresses.
        known: how many are in the baseline.
        gone: entries of the baseline that nothing matches any more.
        ran: what ran, when it did, in words.
        reproduce: the command line that runs it again in the same way; empty when nothing ran.
    """

    findings: tuple[Finding, ...]
    root: Path
    modes: tuple[Mode, ...] = ()
    files: int | None = None
    handlers: int | None = None
    followed: int | None = None
    problems: tuple[str, ...] = ()
    suppressed: int = 0
    known: int = 0
    gone: tuple[Entry, ...] = ()
    ran: str = ""
    reproduce: str = ""
    sources: dict[str, list[str]] = field(default_factory=dict[str, list[str]])

    def source_line(self, finding: Finding) -> str:
        """Return the line that a finding is about, or nothing where there is none."""
        if finding.path not in self.sources:
            try:
                text = (self.root / finding.path).read_text(encoding="utf-8", errors="replace")
            except OSError:
                text = ""
            self.sources[finding.path] = text.splitlines()
        lines = self.sources[finding.path]
        return lines[finding.line - 1] if 0 < finding.line <= len(lines) else ""

    def why(self, finding: Finding) -> list[tuple[Mode, str]]:
        """Return in which modes that were checked for it matters, and why."""
        rule = RULES.get(finding.rule)
        modes = [mode for mode in finding.modes if mode in self.modes] or finding.modes
        if rule is None:
            return []
        return [(mode, rule.why[mode]) for mode in modes if mode in rule.why]

    def summary(self) -> str:
        """Return how many findings there are, in how many files, and how many do not count."""
        count = len(self.findings)
        files = len({each.path for each in self.findings})
        what = "no findings" if not count else f"{_number(count, 'finding')} in {_number(files, 'file')}"
        parts = [what]
        if self.files is not None:
            parts.append(f"{_number(self.files, 'file')} read")
        if self.handlers is not None and self.followed is not None:
            parts.append(f"{_number(self.handlers, 'handler')}, {_number(self.followed, 'function')} followed")
        if self.ran:
            parts.append(self.ran)
        if self.suppressed:
            parts.append(f"{self.suppressed} suppressed")
        if self.known:
            parts.append(f"{self.known} in the baseline")
        if self.problems:
            parts.append(_number(len(self.problems), "problem"))
        return "; ".join(parts)


def _number(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"
