"""Groups of rules, as the documentation shows them, and how their examples are written down."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import dedent
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from polylambda.check.rule import Rule


@dataclass(frozen=True, slots=True)
class Group:
    """Rules that are about one thing.

    Attributes:
        title: of the group's section.
        about: what its rules have in common, a paragraph.
        rules: in the order of the documentation.
    """

    title: str
    about: str
    rules: tuple[Rule, ...]


def code(text: str) -> str:
    """Return an example that is written indented, as the file it stands for."""
    return dedent(text).strip() + "\n"
