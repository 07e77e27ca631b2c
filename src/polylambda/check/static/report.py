"""What was found, once for each rule and line, with the first way from a handler that led there.

Some of it is a finding only if something else turns out to be so, or not: an object that is made for every invocation,
unless it is kept; work that is started, unless somebody waits for it; whatever is done while shared state is empty, unless it
is filled then. That is known when everything has been followed.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from polylambda.check.catalogue import RULES
from polylambda.check.finding import Finding, Mode, Step
from polylambda.check.static.values import Instance, Site, Value

if TYPE_CHECKING:
    from polylambda.check.static.frame import Frame

_SHARED = (Mode.TASK, Mode.THREAD)
_NOTHING: frozenset[object] = frozenset()
_SAID_BY = {"LMI406": "ASYNC220"}  # the general rule, and the special one that says the same


@dataclass(frozen=True, slots=True)
class Reached:
    """A function that an invocation runs."""

    first: int
    last: int
    trail: tuple[Step, ...]
    is_async: bool
    quiet: bool


@dataclass(frozen=True, slots=True)
class _Shared:
    finding: Finding
    at_import: bool
    per_loop: bool


class Report:
    """The findings for one mode.

    Attributes:
        reached: the functions that invocations run, by file.
        filled: shared state that invocations write.
        joined: where work was started that somebody waits for.
        alone: where objects were made that one thread keeps for itself.
    """

    def __init__(self, mode: Mode) -> None:
        self.mode = mode
        self.reached: dict[str, list[Reached]] = {}
        self.filled: set[object] = set()
        self.joined: set[Site] = set()
        self.alone: set[Site] = set()
        self._kept: set[Site] = set()
        self._used_up: set[Site] = set()  # to make what is kept
        self._findings: dict[tuple[str, int, str], tuple[Finding, frozenset[object]]] = {}
        self._unless_kept: dict[Site, tuple[Finding, frozenset[object]]] = {}
        self._unless_joined: dict[Site, Finding] = {}
        self._if_used: dict[tuple[Site, str], _Shared] = {}
        self._used: dict[Site, tuple[Step, ...]] = {}
        self._used_on_own_loops: set[Site] = set()
        self._constants: dict[str, dict[str, list[Finding]]] = {}

    def add(
        self,
        frame: Frame,
        rule: str,
        site: Site,
        message: str,
        fix: str,
        *,
        modes: tuple[Mode, ...] | None = None,
        trail: tuple[Step, ...] | None = None,
        once: frozenset[object] = _NOTHING,
    ) -> None:
        """Note a finding.

        `once`: shared state that was found to be empty on the way; it is no finding if invocations fill it.
        """
        modes = modes or modes_of(rule)
        self.note(finding(rule, site, message, fix, modes, frame.trail if trail is None else trail), once)

    def note(self, found: Finding, once: frozenset[object] = _NOTHING) -> None:
        """Note a finding, if it is one in this mode."""
        key = (found.path, found.line, found.rule)
        if self.mode in found.modes and (key not in self._findings or (self._findings[key][1] and not once)):
            self._findings[key] = (found, once)

    def add_unless_kept(self, site: Site, found: Finding, once: frozenset[object]) -> None:
        """Note a finding about what is made at `site`: none if it turns out to be kept."""
        self._unless_kept.setdefault(site, (found, once))

    def add_unless_joined(self, site: Site, found: Finding) -> None:
        """Note a finding about work that is started at `site`: none if it turns out to be waited for, or kept."""
        self._unless_joined.setdefault(site, found)

    def add_if_used(self, site: Site, found: Finding, *, at_import: bool, per_loop: bool) -> None:
        """Note a finding about an object that is made at `site`: none unless invocations share it and use it.

        `per_loop`: it is fine on one event loop.
        """
        self._if_used.setdefault((site, found.rule), _Shared(found, at_import, per_loop))

    def add_constant(self, thing: str, value: str, found: Finding | None) -> None:
        """Note a finding about what is set to a constant: none unless it is set to something else, too."""
        known = self._constants.setdefault(thing, {}).setdefault(value, [])
        if found is not None:
            known.append(found)

    def use(self, frame: Frame, site: Site) -> None:
        """Note that an invocation uses what was made at `site`."""
        self._used.setdefault(site, frame.trail)
        if not frame.engine.is_async:
            self._used_on_own_loops.add(site)

    def keep(self, value: Value) -> None:
        """Note that objects, and what they were made of, outlive the invocation."""
        todo = [(atom, True) for atom in value if isinstance(atom, Instance)]
        seen: set[Instance] = set()
        while todo:
            each, whole = todo.pop()
            if each in seen:
                continue
            seen.add(each)
            (self._kept if whole else self._used_up).add(each.site)
            todo += [(atom, False) for atom in each.arguments if isinstance(atom, Instance)]
            if not isinstance(each.kind, str):
                held = [atom for inner in each.attributes.values() for atom in inner]
                todo += [(atom, whole) for atom in held if isinstance(atom, Instance)]

    def reach(self, frame: Frame, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        """Note that an invocation runs a function."""
        is_async = isinstance(node, ast.AsyncFunctionDef)
        first = min([node.lineno, *[each.lineno for each in node.decorator_list]])
        known = self.reached.setdefault(frame.module.path, [])
        if not any(each.first == first for each in known):
            known.append(Reached(first, node.end_lineno or node.lineno, frame.trail, is_async, frame.quiet))

    def all(self) -> list[Finding]:
        """Return the findings."""
        self._settle()
        filled = {key: found for key, (found, once) in self._findings.items() if not once & self.filled}
        return [
            found for (path, line, rule), found in filled.items() if (path, line, _SAID_BY.get(rule, "")) not in filled
        ]

    def _settle(self) -> None:
        for site, (found, once) in self._unless_kept.items():
            if site not in self._kept | self._used_up:
                self.note(found, once)
        for site, found in self._unless_joined.items():
            if site not in self.joined | self._kept:
                self.note(found)
        for (site, _), shared in self._if_used.items():
            used = self._used_on_own_loops if shared.per_loop else self._used
            if site in used and (shared.at_import or site in self._kept - self.alone):
                self.note(replace(shared.finding, trail=self._used[site]))
        for values in self._constants.values():
            for found in [each for group in values.values() for each in group] if len(values) > 1 else ():
                self.note(found)


def finding(rule: str, site: Site, message: str, fix: str, modes: tuple[Mode, ...], trail: tuple[Step, ...]) -> Finding:
    """Return a finding at a place."""
    return Finding(site.path, site.line, site.column, rule, message, fix, modes, trail)


def modes_of(rule: str) -> tuple[Mode, ...]:
    """Return the modes in which a rule matters."""
    known = RULES.get(rule)
    return tuple(known.why) if known is not None and known.why else _SHARED
