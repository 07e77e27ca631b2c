"""A function under simulated load."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from polylambda.plane.facts import VersionFacts


@dataclass(frozen=True, slots=True)
class Function:
    """A version and its traffic.

    Attributes:
        facts: the version.
        rate: invocations a second, as a function of virtual seconds.
        seconds: that an invocation takes in the mean.
        cpu: vCPU seconds that it uses of them.
        steady: every invocation takes just so long; otherwise exponentially distributed times.
    """

    facts: VersionFacts
    rate: Callable[[float], float]
    seconds: float
    cpu: float
    steady: bool = True
