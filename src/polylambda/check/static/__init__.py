"""Follows handlers through their project's source, and says what is unsafe when invocations run at the same time.

`project` reads, `engine` evaluates (what may a value be, who else can get at it), `writes`, `effects` and `locks` judge,
`linter` asks ruff what it knows, `cache` keeps results. What the rules mean is in `catalogue`, what other people's code does
in `facts`.
"""

from __future__ import annotations

from polylambda.check.static.checking import check
from polylambda.check.static.result import Checked, FoundHandler, StaticOptions

__all__ = ["Checked", "FoundHandler", "StaticOptions", "check"]
