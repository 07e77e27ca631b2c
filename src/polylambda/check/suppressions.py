"""Comments that say why something is safe after all, and what becomes of those that say nothing, or hide nothing.

`# polylambda: ignore[LMI101] -- read-mostly, one task refreshes it` holds for the statement that it is on, or before; on a
`def` or a `class`, for all of it. `# polylambda: ignore-file[LMI201] -- ...` holds for its file. For the rules that are
ruff's, ruff's `# noqa: ASYNC251` holds too.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from polylambda.check.finding import Finding, Mode

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from pathlib import Path

WITHOUT_REASON = "LMI001"
UNUSED = "LMI002"

_IGNORE = re.compile(
    r"#\s*polylambda:\s*ignore(?P<file>-file)?\b\s*(?:\[(?P<rules>[^\]]*)\])?\s*(?:--\s*(?P<reason>.*))?"
)
_NOQA = re.compile(r"#\s*noqa(?::\s*(?P<rules>[A-Z]+\d+(?:[,\s]+[A-Z]+\d+)*))?", re.IGNORECASE)
_STATIC_RULES_OF_RUFF = ("ASYNC", "B0", "RUF")


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment that suppresses findings.

    Attributes:
        line: where it is, from 1.
        column: from 1.
        rules: whose findings; empty when it names none.
        reason: why that is safe.
        first: the first line that it holds for.
        last: the last one; None for all of the file.
    """

    line: int
    column: int
    rules: tuple[str, ...]
    reason: str
    first: int
    last: int | None

    def hides(self, finding: Finding) -> bool:
        """Say whether it is about the finding."""
        within = self.last is None or self.first <= finding.line <= self.last
        return within and finding.rule in self.rules


@dataclass(frozen=True, slots=True)
class Sifted:
    """What is left of findings, in order, with those about the comments themselves; and how many are suppressed."""

    findings: tuple[Finding, ...]
    suppressed: int


def sift(
    findings: Iterable[Finding],
    root: Path,
    *,
    paths: Iterable[str] = (),
    known: Collection[str] = (),
    expected: Collection[str] = (),
) -> Sifted:
    """Take away the findings that comments suppress.

    Args:
        findings: what was found.
        root: the folder that their paths are relative to.
        paths: the files whose comments must all be of use, as in findings.
        known: ids of all rules; a comment that names another is reported.
        expected: ids of the rules that were looked for: a comment for another may be of use another time.
    """
    found = sorted(findings)
    strict = set(paths)
    left: list[Finding] = []
    suppressed = 0
    for path in sorted({each.path for each in found} | strict):
        source = _Source(root / path)
        used: set[Comment] = set()
        for finding in (each for each in found if each.path == path):
            hiding = {comment for comment in source.comments if comment.hides(finding)}
            used |= hiding
            if hiding or source.has_noqa(finding):
                suppressed += 1
            else:
                left.append(finding)
        for comment in source.comments:
            left.extend(_complaints(comment, path, known))
            if path in strict and comment not in used and set(comment.rules) & set(expected):
                left.append(_unused(comment, path))
    return Sifted(tuple(sorted(left)), suppressed)


def _complaints(comment: Comment, path: str, known: Collection[str]) -> Iterator[Finding]:
    if not comment.rules:
        yield _about(
            comment,
            path,
            WITHOUT_REASON,
            "the suppression names no rule, so it suppresses nothing",
            "name the rules and say why: # polylambda: ignore[LMI101] -- read-mostly, one task refreshes it",
        )
    elif not comment.reason:
        yield _about(
            comment,
            path,
            WITHOUT_REASON,
            f"the suppression of {', '.join(comment.rules)} gives no reason",
            f"say why it is safe: # polylambda: ignore[{', '.join(comment.rules)}] -- one task refreshes it",
        )
    for rule in comment.rules:
        if known and rule not in known:
            yield _about(
                comment,
                path,
                UNUSED,
                f"there is no rule {rule!r} to suppress",
                "polylambda check --list-rules tells which there are",
            )


def _unused(comment: Comment, path: str) -> Finding:
    rules = ", ".join(comment.rules)
    return _about(comment, path, UNUSED, f"the suppression of {rules} matches nothing", "remove the comment")


def _about(comment: Comment, path: str, rule: str, message: str, fix: str) -> Finding:
    return Finding(path, comment.line, comment.column, rule, message, fix, tuple(Mode))


class _Source:
    """A file's comments. One that cannot be read or parsed has none: the checker says so elsewhere."""

    def __init__(self, path: Path) -> None:
        try:
            self._text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            self._text = ""

    @cached_property
    def comments(self) -> tuple[Comment, ...]:
        if "polylambda:" not in self._text:
            return ()
        return tuple(self._comments())

    def has_noqa(self, finding: Finding) -> bool:
        """Say whether ruff would keep silent about it."""
        if not finding.rule.startswith(_STATIC_RULES_OF_RUFF):
            return False
        rules = self._noqa.get(finding.line)
        return rules is not None and (not rules or finding.rule in rules)

    @cached_property
    def _noqa(self) -> dict[int, tuple[str, ...]]:
        """The rules that each line's `noqa` names; none of them for a bare one, which means all."""
        if "noqa" not in self._text.lower():
            return {}
        found: dict[int, tuple[str, ...]] = {}
        for token in self._tokens:
            match = _NOQA.match(token.string)
            if match is not None:
                found[token.start[0]] = tuple(re.findall(r"[A-Z]+\d+", (match["rules"] or "").upper()))
        return found

    @cached_property
    def _tokens(self) -> list[tokenize.TokenInfo]:
        try:
            tokens = tokenize.generate_tokens(io.StringIO(self._text).readline)
            return [token for token in tokens if token.type == tokenize.COMMENT]
        except (tokenize.TokenError, SyntaxError):
            return []

    def _comments(self) -> Iterator[Comment]:
        for token in self._tokens:
            match = _IGNORE.search(token.string)
            if match is None:
                continue
            line, column = token.start
            own_line = not token.line[:column].strip()
            first, last = (1, None) if match["file"] else self._span(line, own_line=own_line)
            rules = tuple(rule.strip() for rule in (match["rules"] or "").split(",") if rule.strip())
            yield Comment(line, column + 1, rules, (match["reason"] or "").strip(), first, last)

    def _span(self, line: int, *, own_line: bool) -> tuple[int, int]:
        """Return the lines of the statement that a comment is about."""
        if own_line:
            following = [first for first, _, _ in self._statements if first > line]
            line = min(following, default=line)
        around = [(last - first, first, last) for first, header, last in self._statements if first <= line <= header]
        if not around:
            return line, line
        _, first, last = min(around)
        return first, last

    @cached_property
    def _statements(self) -> list[tuple[int, int, int]]:
        """The first line of each statement, the last line that a comment on it may be on, and the last that it is for."""
        try:
            tree = ast.parse(self._text)
        except (SyntaxError, ValueError):
            return []
        return [_extent(node) for node in ast.walk(tree) if isinstance(node, ast.stmt)]


def _extent(node: ast.stmt) -> tuple[int, int, int]:
    end = node.end_lineno or node.lineno
    body: list[ast.stmt] = getattr(node, "body", [])
    header = max(node.lineno, body[0].lineno - 1) if body else end
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
        return first, header, end
    return node.lineno, header, header
