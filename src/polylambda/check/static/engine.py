"""Follows a handler through its project, for one mode."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from polylambda.check.static import calls, effects, expressions, statements
from polylambda.check.static.frame import Arguments, Call, Frame, Scope
from polylambda.check.static.limits import Limits
from polylambda.check.static.report import Report
from polylambda.check.static.values import (
    TEXT,
    UNKNOWN,
    Coroutine,
    Fixed,
    Function,
    Instance,
    Member,
    Site,
    Value,
    join,
)

if TYPE_CHECKING:
    from polylambda.check.finding import Mode
    from polylambda.check.static.guards import Guarded
    from polylambda.check.static.project import Module, Project


class Checker:
    """Evaluates a project, and reports what is unsafe in one mode.

    Attributes:
        state: what the lifespan gives.
        is_async: the handler that is being followed is `async def`.
        guarded: shared state that the invocation wrote under a lock, on the way to where it is.
        entered: how often an invocation got into a function of the project.
        followed: the functions that it got into.
        starts: functions that applications call once.
        runtimes: runtime objects that modules make, with what they are given.
    """

    def __init__(self, project: Project, mode: Mode) -> None:
        self.project = project
        self.mode = mode
        self.report = Report(mode)
        self.state: Value = UNKNOWN
        self.is_async = False
        self.guarded: dict[object, tuple[Guarded, ...]] = {}
        self.starts: Value = ()
        self.limits = Limits(project)
        self.entered = 0
        self.followed: set[int] = set()
        self.depth = 0
        self.calls = 0
        self.runtimes: dict[Instance, Arguments] = {}
        self.ways: dict[int, dict[object, tuple[Value, tuple[Instance, ...] | None]]] = {}
        self.at_import: dict[int, int] = {}
        self.generators: dict[int, bool] = {}

    def value(self, frame: Frame, node: ast.expr) -> Value:
        """Return what an expression is."""
        return expressions.evaluate(frame, node)

    def run(self, frame: Frame, body: list[ast.stmt]) -> bool:
        """Run statements; say whether what follows them is reached."""
        return statements.run(frame, body)

    def call(self, frame: Frame, callee: Value, arguments: Arguments, node: ast.AST) -> Value:
        """Return what a call gives."""
        return calls.call(frame, callee, arguments, node)

    def import_module(self, module: Module) -> Scope:
        """Return the names of a module, imported now if it was not before."""
        if module.scope is None:
            module.scope = Scope("module", module.name, None, shared=True)
            module.scope.variables["__name__"] = (Fixed(module.name),)
            module.scope.variables["__file__"] = TEXT
            frame = Frame(self, module, module.scope, importing=True)
            try:
                self.run(frame, module.body)
            except Exception as e:
                reason = "it is nested too deeply" if isinstance(e, RecursionError) else f"{type(e).__name__}: {e}"
                self.project.problems.append(f"{module.path} could not be followed to its end: {reason}")
            module.done = True
        return module.scope

    def known(self, call: Call, name: str) -> bool:
        """Apply what is known of an assignment to, or a change of, somebody else's name; say whether anything is."""
        return effects.apply(call, name)

    def discarded(self, frame: Frame, value: Value, node: ast.expr) -> None:
        """Note that nobody keeps a value."""
        if frame.importing or not isinstance(node, ast.Call):
            return
        for atom in value:
            if isinstance(atom, Coroutine):
                message = f"coroutine {atom.name}() is never awaited, so it never runs"
                self.report.add(frame, "LMI405", frame.place(node), message, f"await {atom.name}(...)")
            elif isinstance(atom, Instance) and atom.type_name == "asyncio.Task" and self._is_lost(atom, frame, node):
                effects.dangling(Call(frame, Arguments(), node))

    def _is_lost(self, task: Instance, frame: Frame, node: ast.Call) -> bool:
        return task.site == frame.site(node) and task.site not in self.report.joined

    def start(self, value: Value) -> None:
        """Note what runs once, before the first event: an application's lifespan."""
        self.starts = join(self.starts, value)

    def registered(self, runtime: Instance, arguments: Arguments) -> None:
        """Note that a module makes a runtime for a handler."""
        self.runtimes.setdefault(runtime, arguments)

    def site_of(self, function: Function) -> Site:
        """Return where a function is defined."""
        return Site(function.module.path, function.node.lineno, function.node.col_offset + 1)

    def uses(self, frame: Frame, value: Value) -> None:
        """Note that an invocation uses shared objects."""
        if frame.importing:
            return
        for atom in value:
            found = atom.owner if isinstance(atom, Member) else atom
            if isinstance(found, Instance) and found.shared:
                self.report.use(frame, found.site)
