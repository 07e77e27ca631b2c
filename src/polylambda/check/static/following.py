"""Targets in, findings out: every handler is followed, in its mode."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polylambda.check.finding import Finding, Mode
from polylambda.check.static import handlers, linter
from polylambda.check.static.engine import Checker
from polylambda.check.static.handlers import Candidate
from polylambda.check.static.result import Checked, FoundHandler, StaticOptions
from polylambda.check.static.targets import Target, target_of
from polylambda.errors import ConfigurationError

if TYPE_CHECKING:
    from polylambda.check.static.cache import Cache
    from polylambda.check.static.project import Module, Project


def follow_all(options: StaticOptions, project: Project, cache: Cache | None) -> Checked:
    """Follow the handlers that are named, or that are in what is named.

    Raises:
        ConfigurationError: a target is not there, or there is no handler in it.
    """
    targets = [target_of(project, each) for each in options.targets]
    checker = Checker(project, options.mode or Mode.THREAD)
    found: dict[Mode, list[tuple[Candidate, FoundHandler]]] = {}
    for target in targets:
        for candidate in _candidates(checker, target):
            value = handlers.value_at(checker, candidate)
            mode = options.mode or handlers.default_mode(checker, value)
            module = candidate.module
            entry = FoundHandler(f"{module.name}.{candidate.name}", module.path, candidate.line, mode)
            if entry not in [each for _, each in found.get(mode, [])]:
                found.setdefault(mode, []).append((candidate, entry))
    findings: set[Finding] = set()
    followed: set[int] = set()
    for position, (mode, group) in enumerate(found.items()):
        if position:
            project.forget_values()
            checker = Checker(project, mode)
        checker.mode = checker.report.mode = mode
        for candidate, _ in group:
            _follow(checker, candidate)
        followed |= checker.followed
        own = checker.report.all()
        findings |= linter.joined(project, checker.report, own, cache)
    everything = [entry for group in found.values() for _, entry in group]
    return Checked(
        tuple(sorted(findings)), tuple(everything), tuple(project.problems), tuple(project.paths()), len(followed)
    )


def _candidates(checker: Checker, target: Target) -> list[Candidate]:
    if target.name is not None:
        module = target.modules[0]
        value = handlers.value_of(checker, module, target.name)
        if not value:
            raise ConfigurationError(
                f"there is no {target.name!r} in {module.path}: name what handles the event, such as {module.name}.handler"
            )
        return [Candidate(module, target.name, _line_of(module, target.name))]
    found = [
        candidate
        for module in target.modules
        for candidate in handlers.candidates(module)
        if handlers.is_handler(checker, handlers.value_at(checker, candidate))
    ]
    if not found:
        raise ConfigurationError(
            f"there is no handler in {target.shown!r}: name it as Lambda does, such as app.handler for `def handler` in app.py"
        )
    return found


def _line_of(module: Module, name: str) -> int:
    first = name.partition(".")[0]
    for statement in module.body:
        if getattr(statement, "name", None) == first:
            return statement.lineno
        targets = getattr(statement, "targets", [])
        if any(getattr(each, "id", None) == first for each in targets):
            return statement.lineno
    return 1


def _follow(checker: Checker, candidate: Candidate) -> None:
    value = handlers.value_at(checker, candidate)
    name, before = f"{candidate.module.name}.{candidate.name}", checker.entered
    try:
        handlers.follow(checker, candidate.module, value, candidate.line)
    except Exception as e:
        # What is found in other handlers is worth more than an end with our own frames.
        reason = "it is nested too deeply" if isinstance(e, RecursionError) else f"{type(e).__name__}: {e}"
        checker.project.problems.append(f"{name} could not be followed to its end: {reason}")
    else:
        if checker.entered == before:
            checker.project.problems.append(
                f"{name} leads to no function of the project, so nothing was checked: name the function that handles the event"
            )
