"""How many invocations a check makes: with a seed, nothing goes by the clock."""

from __future__ import annotations

from polylambda.check.dynamic.examination import affordable
from polylambda.check.dynamic.options import RunOptions


def test_fewer_of_a_slow_handler():
    options = RunOptions("app.handler", (b"{}",))
    assert affordable(options, 0.001) == 64
    assert affordable(options, 0.1) == 12


def test_as_many_as_asked_for_with_a_seed():
    assert affordable(RunOptions("app.handler", (b"{}",), seed=1), 0.1) == 64
