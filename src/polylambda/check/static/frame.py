"""Where a piece of source runs: its names, what it holds, and the calls that led there."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from polylambda.check.finding import Mode, Step
from polylambda.check.static.values import Function, Home, Instance, OfKey, Site, Value

if TYPE_CHECKING:
    from polylambda.check.static.guards import Guarded
    from polylambda.check.static.project import Module, Project
    from polylambda.check.static.report import Report


_COMPOUND = (
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.ClassDef,
    ast.With,
    ast.AsyncWith,
    ast.For,
    ast.AsyncFor,
    ast.While,
    ast.If,
    ast.Try,
    ast.Match,
)


@dataclass(eq=False, repr=False, slots=True)
class Scope:
    """The names of a module, a class, or one call of a function.

    Attributes:
        shared: it was made at import, and outlives every invocation.
    """

    kind: str  # "module", "class" or "function"
    name: str
    parent: Scope | None
    shared: bool
    variables: dict[str, Value] = field(default_factory=dict[str, Value])
    globals: set[str] = field(default_factory=set[str])
    nonlocals: set[str] = field(default_factory=set[str])
    fields: list[str] = field(default_factory=list[str])  # of a class, in order
    stars: list[str] = field(default_factory=list[str])  # other people's modules of which all names were imported

    def home_of(self, name: str) -> Home | None:
        """Return where an object lives that a variable of this scope holds."""
        if self.kind == "module":
            return Home("LMI101", f"module global `{name}`", name)
        if self.kind == "class":
            return Home("LMI102", f"class attribute `{self.name}.{name}`", name)
        return Home("LMI103", f"closure variable `{name}` of `{self.name}`", name, firm=False)


@dataclass(slots=True)
class Arguments:
    """What a call passes.

    Attributes:
        rest: what came from `*args` and `**kwargs`, or is unknown otherwise.
        partial: it is not known how many there are.
    """

    positional: list[Value] = field(default_factory=list[Value])
    named: dict[str, Value] = field(default_factory=dict[str, Value])
    rest: Value = ()
    partial: bool = False

    def all(self) -> list[Value]:
        """Return every value."""
        return [*self.positional, *self.named.values(), *([self.rest] if self.rest else [])]

    def at(self, position: int, name: str = "") -> Value:
        """Return the value at a position, or with a name; nothing when it was not given."""
        if position < len(self.positional):
            return self.positional[position]
        return self.named.get(name, self.rest)

    def without_first(self) -> Arguments:
        """Return these without the first one."""
        return Arguments(self.positional[1:], self.named, self.rest, self.partial)


class Engine(Protocol):
    """What evaluates; see `engine`."""

    project: Project
    report: Report
    mode: Mode
    state: Value
    is_async: bool
    guarded: dict[object, tuple[Guarded, ...]]

    def value(self, frame: Frame, node: ast.expr) -> Value:
        """Return what an expression is."""
        ...

    def run(self, frame: Frame, body: list[ast.stmt]) -> bool:
        """Run statements; say whether what follows them is reached."""
        ...

    def call(self, frame: Frame, callee: Value, arguments: Arguments, node: ast.AST) -> Value:
        """Return what a call gives."""
        ...

    def known(self, call: Call, name: str) -> bool:
        """Apply what is known of an assignment to, or a change of, somebody else's name; say whether anything is."""
        ...

    def discarded(self, frame: Frame, value: Value, node: ast.expr) -> None:
        """Note that nobody keeps a value."""
        ...

    def start(self, value: Value) -> None:
        """Note what runs once, before the first event: an application's lifespan."""
        ...

    def registered(self, runtime: Instance, arguments: Arguments) -> None:
        """Note that a module makes a runtime for a handler."""
        ...

    def uses(self, frame: Frame, value: Value) -> None:
        """Note that an invocation uses shared objects."""
        ...

    def site_of(self, function: Function) -> Site:
        """Return where a function is defined."""
        ...

    def import_module(self, module: Module) -> Scope:
        """Return the names of a module, imported now if it was not before."""
        ...


@dataclass(frozen=True, slots=True)
class Passed:
    """The call that passed a shared object to a function."""

    site: Site
    trail: tuple[Step, ...]


@dataclass(eq=False, repr=False, slots=True)
class Frame:
    """One call of a function, or the import of a module.

    Attributes:
        importing: it runs once, before any invocation.
        loop: it runs on the event loop.
        direct: it is the body of an `async def` function itself.
        locks: held here.
        quiet: what it does to shared state is not reported: somebody declared it safe.
        caching: what it returns is kept for later calls.
        lifespan: it runs where the event loop does that invocations run on.
        decided: whether it runs depends on the request.
        empty: shared state that was found to be empty on the way here.
        tested: shared state that was tested on the way here.
        sources: the shared state that a local variable was read from.
        given: shared objects that came as arguments, and the call that passed them.
        origin: the statement of a module's top level that this is part of, at import.
    """

    engine: Engine
    module: Module
    scope: Scope
    importing: bool
    loop: bool = False
    direct: bool = False
    locks: tuple[Instance, ...] = ()
    trail: tuple[Step, ...] = ()
    function: Function | None = None
    quiet: bool = False
    caching: bool = False
    lifespan: bool = False
    decided: bool = False
    empty: frozenset[object] = frozenset()
    tested: frozenset[object] = frozenset()
    sources: dict[str, frozenset[object]] = field(default_factory=dict[str, "frozenset[object]"])
    given: dict[Instance, Passed] = field(default_factory=dict[Instance, "Passed"])
    returned: Value = ()
    yielded: Value = ()
    locks_at_yield: tuple[Instance, ...] = ()
    statement: ast.stmt | None = None
    origin: Site | None = None
    waits: list[tuple[Instance, ast.AST]] = field(default_factory=list["tuple[Instance, ast.AST]"])

    def value(self, node: ast.expr) -> Value:
        """Return what an expression is."""
        return self.engine.value(self, node)

    def run(self, body: list[ast.stmt]) -> bool:
        """Run statements; say whether what follows them is reached."""
        return self.engine.run(self, body)

    def call(self, callee: Value, arguments: Arguments, node: ast.AST) -> Value:
        """Return what a call gives."""
        return self.engine.call(self, callee, arguments, node)

    def place(self, node: ast.AST) -> Site:
        """Return where a finding about a node is told: at the statement that it is in."""
        statement = self.statement
        if statement is None or isinstance(statement, _COMPOUND):
            return self.site(node)
        return self.site(statement)

    def site(self, node: ast.AST) -> Site:
        """Return the place of a node."""
        return Site(self.module.path, getattr(node, "lineno", 1), getattr(node, "col_offset", 0) + 1)

    def made(self, kind: str, node: ast.AST, elements: Value = ()) -> Instance:
        """Return a new object of a type that is known by its name."""
        return Instance(kind, self.importing, self.site(node), elements=elements)

    def once(self) -> frozenset[object]:
        """Return the shared state that is empty as a whole here: what is done now is done once, if it is filled."""
        return frozenset([each for each in self.empty if not isinstance(each, OfKey)])

    def is_guarded(self) -> bool:
        """Say whether a lock is held that other invocations wait for too."""
        return any(lock.shared and self._excludes(lock) for lock in self.locks)

    def _excludes(self, lock: Instance) -> bool:
        # An asyncio lock does nothing between threads, where each has a loop of its own.
        return self.engine.mode is not Mode.THREAD or not lock.type_name.startswith(("asyncio.", "anyio."))


@dataclass(frozen=True, slots=True)
class Call:
    """A call of something that is known.

    Attributes:
        owner: whose method it is.
    """

    frame: Frame
    arguments: Arguments
    node: ast.AST
    owner: Instance | None = None

    def at(self, position: int, name: str = "") -> Value:
        """Return the argument at a position, or with a name; nothing when it was not given."""
        return self.arguments.at(position, name)

    def made(self, kind: str, elements: Value = ()) -> Instance:
        """Return a new object that the call gives."""
        return self.frame.made(kind, self.node, elements)

    def note_joined(self, value: Value) -> None:
        """Note that somebody waits for work that was started."""
        self.frame.engine.report.joined.update(atom.site for atom in value if isinstance(atom, Instance))
