"""Which functions and methods of the standard library are known better than by what they do to others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polylambda.check.static import concurrency, standard

if TYPE_CHECKING:
    from collections.abc import Callable

    from polylambda.check.static.frame import Call
    from polylambda.check.static.values import Value

KNOWN: dict[str, Callable[[Call], Value]] = {**standard.FUNCTIONS, **concurrency.FUNCTIONS}
"""What a call of a function gives, by the function's name."""

METHODS: dict[str, Callable[[Call], Value | None]] = {**standard.METHODS, **concurrency.METHODS}
"""What a method gives, by its name; None when it is not the method that is meant."""
