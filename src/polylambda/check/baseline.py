"""A file of the findings that were there when the checker came, so that only new ones fail a build.

A finding is known by its rule, its path and what its line says, not by the number of the line: it stays known when code
above it comes and goes.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from polylambda.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from polylambda.check.finding import Finding

_VERSION = 1


@dataclass(frozen=True, slots=True, order=True)
class Entry:
    """A finding in the file."""

    path: str
    line: int
    rule: str
    message: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Compared:
    """Findings that are not in the file, how many are, and the entries that nothing matches any more."""

    new: tuple[Finding, ...]
    known: int
    gone: tuple[Entry, ...]


class Baseline:
    """The entries of a file."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.entries = tuple(sorted(entries))

    @classmethod
    def of(cls, findings: Sequence[Finding], root: Path) -> Baseline:
        """Return the baseline that knows all `findings`, whose paths are relative to `root`."""
        prints = fingerprints(findings, root)
        return cls(
            Entry(each.path, each.line, each.rule, each.message, known)
            for each, known in zip(findings, prints, strict=True)
        )

    @classmethod
    def read(cls, file: Path) -> Baseline:
        """Return what a file says.

        Raises:
            ConfigurationError: there is no such file, or it is not one of ours.
        """
        try:
            data: Any = json.loads(file.read_text(encoding="utf-8"))
            return cls(Entry(**entry) for entry in cast("list[dict[str, Any]]", data["findings"]))
        except FileNotFoundError:
            raise ConfigurationError(
                f"there is no baseline {str(file)!r}: write it with --baseline {file} --write-baseline"
            ) from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConfigurationError(
                f"{str(file)!r} is no baseline ({error}): write it anew with --baseline {file} --write-baseline"
            ) from None

    def write(self, file: Path) -> None:
        """Write it to a file, an entry a line, so that it reads well in a diff.

        Raises:
            ConfigurationError: it cannot be written.
        """
        lines = ",\n".join(
            "    "
            + json.dumps(
                {
                    "path": each.path,
                    "line": each.line,
                    "rule": each.rule,
                    "message": each.message,
                    "fingerprint": each.fingerprint,
                }
            )
            for each in self.entries
        )
        body = f"\n{lines}\n  " if lines else ""
        try:
            file.write_text(f'{{\n  "version": {_VERSION},\n  "findings": [{body}]\n}}\n', encoding="utf-8")
        except OSError as error:
            raise ConfigurationError(
                f"the baseline {str(file)!r} cannot be written: {error.strerror}; choose another with --baseline"
            ) from error

    def compare(self, findings: Sequence[Finding], root: Path) -> Compared:
        """Tell new findings from known ones."""
        known = {entry.fingerprint for entry in self.entries}
        prints = fingerprints(findings, root)
        pairs = list(zip(findings, prints, strict=True))
        return Compared(
            new=tuple(finding for finding, each in pairs if each not in known),
            known=sum(each in known for each in prints),
            gone=tuple(entry for entry in self.entries if entry.fingerprint not in set(prints)),
        )


def fingerprints(findings: Sequence[Finding], root: Path) -> tuple[str, ...]:
    """Return what each of `findings` is known by: rule, path, the line's words, and which of several alike it is."""
    lines: dict[str, list[str]] = {}
    seen: Counter[tuple[str, str, str]] = Counter()
    prints: dict[Finding, str] = {}
    for finding in sorted(findings):
        if finding.path not in lines:
            lines[finding.path] = _lines(root / finding.path)
        text = lines[finding.path]
        words = " ".join(text[finding.line - 1].split()) if 0 < finding.line <= len(text) else finding.message
        key = (finding.rule, finding.path, words)
        seen[key] += 1
        prints[finding] = hashlib.sha256("\n".join([*key, str(seen[key])]).encode()).hexdigest()[:16]
    return tuple(prints[finding] for finding in findings)


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
