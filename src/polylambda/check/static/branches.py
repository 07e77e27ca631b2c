"""Alternatives: what holds after any of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polylambda.check.static.values import Instance, Value, join

if TYPE_CHECKING:
    from collections.abc import Callable

    from polylambda.check.static.frame import Frame

Variables = dict[str, Value]


def run_branches(frame: Frame, *branches: Callable[[], bool]) -> bool:
    """Run alternatives from the same start, and go on with what any of them leaves; say whether one gets to its end."""
    scope = frame.scope
    before, held = dict(scope.variables), frame.locks
    ends: list[Variables] = []
    left: list[tuple[Instance, ...]] = []
    guarded = after = frame.engine.guarded
    for branch in branches:
        scope.variables = dict(before)
        frame.locks, frame.engine.guarded = held, dict(guarded)
        if branch():
            after = {**after, **frame.engine.guarded}
            ends.append(scope.variables)
            left.append(frame.locks)
        elif scope.kind != "function":
            ends.append(scope.variables)
    scope.variables = merged(ends) if ends else before
    frame.engine.guarded = after
    frame.locks = left[0] if left and all(each == left[0] for each in left) else held
    return bool(left)


def merged(ends: list[Variables]) -> Variables:
    """Return the variables of any of the alternatives."""
    merged = dict(ends[0])
    for variables in ends[1:]:
        for name, value in variables.items():
            known = merged.get(name)
            if known is None:
                merged[name] = value
            elif known is not value:
                merged[name] = join(known, value)
    return merged
