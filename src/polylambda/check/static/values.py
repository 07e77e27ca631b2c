"""What an expression may be, as far as the source says: a value is a few atoms, none of them exact.

Everything made while modules are imported (or in the lifespan) is shared by all invocations, everything made later belongs
to one, until it is stored where others find it.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from polylambda.check.static.frame import Scope
    from polylambda.check.static.project import Module

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda

MOST_ATOMS = 48
"""What a value may be, at most; more is left out."""


class Tag(Enum):
    """What is known of a value that has no structure of its own here."""

    UNKNOWN = "unknown"
    REQUEST = "request"  # a part of the event, or what the context says about this invocation
    DERIVED = "derived"  # what somebody else's code made of that
    CONTEXT = "context"  # the invocation's context


@dataclass(frozen=True, slots=True)
class Const:
    """A literal."""

    value: str | bytes | int | float | complex | bool | None


@dataclass(frozen=True, slots=True)
class Fixed:
    """A text that is the same for every invocation of a process, such as one from the environment.

    Attributes:
        text: how it may be shown.
        by_process: it differs from process to process.
    """

    text: str
    by_process: bool = False


@dataclass(frozen=True, slots=True)
class External:
    """A name in code that is not the project's: `boto3.client`, `builtins.open`."""

    name: str


@dataclass(frozen=True, slots=True)
class Home:
    """Where a shared object is kept, which decides the rule that a write breaks."""

    rule: str
    what: str
    name: str
    firm: bool = True  # a variable of a function is not: what is stored elsewhere later lives there


@dataclass(frozen=True, slots=True)
class Site:
    """A place in the source."""

    path: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class OfKey:
    """The part of a shared table that belongs to a key of the request, or is there until it expires."""

    state: object


@dataclass(eq=False, repr=False, slots=True)
class Function:
    """A function or lambda of the project, with the scope that it closes over."""

    name: str
    node: FunctionNode
    module: Module
    scope: Scope
    owner: Class | None
    shared: bool
    defaults: dict[str, Value]
    traits: set[str] = field(default_factory=set[str])
    attributes: dict[str, Value] = field(default_factory=dict[str, "Value"])


@dataclass(frozen=True, slots=True)
class Bound:
    """A function of the project with its first argument given."""

    function: Function
    receiver: Value


@dataclass(eq=False, repr=False, slots=True)
class Class:
    """A class of the project."""

    name: str
    node: ast.ClassDef
    module: Module
    scope: Scope
    bases: tuple[Class | External, ...]
    shared: bool
    traits: set[str] = field(default_factory=set[str])

    def lineage(self) -> list[Class]:
        """Return the classes of the project that an attribute is looked up in, this one first."""
        found: list[Class] = []
        todo: list[Class] = [self]
        while todo:
            each = todo.pop(0)
            if each not in found:
                found.append(each)
                todo.extend(base for base in each.bases if isinstance(base, Class))
        return found

    def is_declared(self) -> bool:
        """Say whether it, or a base, was declared `@concurrency_safe`."""
        return any("safe" in each.traits for each in self.lineage())

    def externals(self) -> list[str]:
        """Return the names of the bases that are not the project's."""
        return [base.name for each in self.lineage() for base in each.bases if isinstance(base, External)]

    def find(self, name: str) -> Value | None:
        """Return the class attribute `name`, or None."""
        for each in self.lineage():
            if name in each.scope.variables:
                return each.scope.variables[name]
        return None


@dataclass(eq=False, repr=False, slots=True)
class Instance:
    """An object: of a class of the project, or of a type that is known by its name.

    Attributes:
        kind: its class; a dotted name for one that is not the project's ("builtins.dict").
        shared: more than one invocation can get at it.
        site: where it was made.
        home: where it is kept.
        attributes: of the object.
        elements: what is in it, for containers.
        callbacks: functions and objects it was given, which it may call.
        arguments: what it was made with.
        locks: held when a context manager yields.
        declared: somebody said that it is safe: its class, or that of the object that has it.
    """

    kind: Class | str
    shared: bool
    site: Site
    home: Home | None = None
    attributes: dict[str, Value] = field(default_factory=dict[str, "Value"])
    elements: Value = ()
    callbacks: list[Atom] = field(default_factory=list["Atom"])
    arguments: Value = ()
    locks: tuple[Instance, ...] = ()
    declared: bool = False

    @property
    def type_name(self) -> str:
        """The type's dotted name."""
        return self.kind if isinstance(self.kind, str) else f"{self.kind.module.name}.{self.kind.name}"


@dataclass(frozen=True, slots=True)
class Member:
    """An attribute, of an attribute, of an object whose class is not the project's."""

    owner: Instance
    path: str

    @property
    def name(self) -> str:
        """Its dotted name, by the type of the object."""
        return f"{self.owner.type_name}.{self.path}"


@dataclass(frozen=True, slots=True)
class Package:
    """A module of the project."""

    module: Module


@dataclass(frozen=True, slots=True)
class Later:
    """A name of a module that was still being imported when it was asked for."""

    module: Module
    name: str


@dataclass(frozen=True, slots=True)
class Coroutine:
    """What calling an `async def` function gives."""

    result: Value
    name: str


@dataclass(frozen=True, slots=True)
class Partial:
    """A callable with some of its arguments."""

    target: Value
    positional: tuple[Value, ...]
    named: tuple[tuple[str, Value], ...]


@dataclass(frozen=True, slots=True)
class Wrapper:
    """What somebody else's code made of a function of the project: a decorator, or what it made of another function.

    Attributes:
        maker: is called with what is wrapped, and with the arguments of a call.
        wrapped: nothing, for a decorator with settings.
    """

    maker: Function
    wrapped: Value
    settings: tuple[tuple[str, Value], ...] = ()


@dataclass(frozen=True, slots=True)
class Super:
    """`super()` in a method."""

    owner: Class
    receiver: Value


Atom = (
    Tag
    | Const
    | Fixed
    | External
    | Function
    | Bound
    | Class
    | Instance
    | Member
    | Package
    | Later
    | Coroutine
    | Partial
    | Wrapper
    | Super
)
Value = tuple[Atom, ...]

UNKNOWN: Value = (Tag.UNKNOWN,)
REQUEST: Value = (Tag.REQUEST,)
DERIVED: Value = (Tag.DERIVED,)
CONTEXT: Value = (Tag.CONTEXT,)
NONE: Value = (Const(None),)
TEXT: Value = (Fixed("..."),)


def join(first: Value, *others: Value) -> Value:
    """Return what is any of these values."""
    result = first
    for other in others:
        if other is result or not other:
            continue
        if not result:
            result = other
            continue
        fresh = tuple(atom for atom in other if atom not in result)
        if fresh and len(result) + len(fresh) <= MOST_ATOMS:
            result += fresh
    return result


def is_request(value: Value, depth: int = 3) -> bool:
    """Say whether the value is, or holds, something of this invocation only."""
    for atom in value:
        if isinstance(atom, Tag) and atom is not Tag.UNKNOWN:
            return True
        if depth and isinstance(atom, Instance) and not atom.shared:
            held = (atom.elements, atom.arguments, *atom.attributes.values())
            if any(is_request(each, depth - 1) for each in held):
                return True
        if depth and isinstance(atom, Coroutine) and is_request(atom.result, depth - 1):
            return True
    return False


def key_of(value: Value) -> object:
    """Return what two values have in common when a function may treat them alike."""
    return tuple([_key(atom) for atom in value])


def shape_of(value: Value) -> object:
    """Return what two values have in common when they differ only in where their objects were made."""
    return tuple(
        [
            (atom.kind if isinstance(atom.kind, str) else id(atom.kind), is_request((atom,)))
            if isinstance(atom, Instance) and not atom.shared
            else _key(atom)
            for atom in value
        ]
    )


def _key(atom: Atom) -> object:
    match atom:
        case Instance(shared=False):
            kind = atom.kind if isinstance(atom.kind, str) else id(atom.kind)
            return (kind, atom.site.line, atom.site.path)
        case Const(value=value):
            return value if isinstance(value, bool | None) else type(value)
        case Bound():
            return (id(atom.function), key_of(atom.receiver))
        case Coroutine():
            return atom.name
        case Tag() | External() | Fixed():
            return atom
        case Partial():
            return ("partial", key_of(atom.target))
        case Wrapper():
            return ("wrapper", id(atom.maker), key_of(atom.wrapped))
        case Super():
            return ("super", id(atom.owner))
        case Member():
            return ("member", atom.name, id(atom.owner) if atom.owner.shared else 0)
        case Package() | Later():
            return id(atom.module)
        case Function():
            return id(atom) if atom.shared else id(atom.node)
        case _:
            return id(atom)
