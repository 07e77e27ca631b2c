"""A rule: what it looks for, and what a reader needs to know of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from polylambda.check.finding import Mode


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of the catalogue; its page in the documentation is made from this.

    Attributes:
        id: ours ("LMI101"), or that of ruff's rule which finds it ("ASYNC251").
        name: a few words with hyphens between them.
        summary: one line that says what is wrong.
        why: for each mode in which it is unsafe, what happens there, one line.
        production: what it looks like when it happens in production, a paragraph.
        fix: how it is written right, a paragraph.
        unsafe: a small handler that breaks the rule.
        safe: the same handler, written right.
    """

    id: str
    name: str
    summary: str
    why: Mapping[Mode, str]
    production: str
    fix: str
    unsafe: str
    safe: str
