"""Decorators that somebody else's code makes of the project's functions, such as middleware.

`lambda_handler_decorator` and `wrapt.decorator` turn a function of what is wrapped and of a call's arguments into a decorator.
The functions of such a library say by their parameters which of the two ways they are called.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from polylambda.check.static.frame import Arguments
from polylambda.check.static.values import (
    UNKNOWN,
    Bound,
    Class,
    External,
    Function,
    Instance,
    Partial,
    Value,
    Wrapper,
    join,
)

if TYPE_CHECKING:
    from polylambda.check.static.frame import Frame
    from polylambda.check.static.values import Atom

_PACKED = ("args", "kwargs")
TRAIT = "made elsewhere"
"""Of a function that somebody else's decorator was applied to, by its name."""


def mark(value: Value) -> None:
    """Note that somebody else's decorator was applied to functions."""
    for each in value:
        if isinstance(each, Function):
            each.traits.add(TRAIT)


def is_maker(function: Function) -> bool:
    """Say whether a function needs more than what it decorates: somebody else's code gives it the rest, at every call."""
    spec = function.node.args
    plain = spec.posonlyargs + spec.args
    return TRAIT in function.traits and len(plain) - len(spec.defaults) > 1


def wrapped(function: Function, value: Value) -> Value:
    """Return what decorating a value gives."""
    return (Wrapper(function, value),)


def configured(function: Function, arguments: Arguments) -> Value:
    """Return a decorator with settings of its own: `@middleware(retries=3)`."""
    return (Wrapper(function, (), tuple(arguments.named.items())),)


def call(frame: Frame, wrapper: Wrapper, arguments: Arguments, node: ast.AST) -> Value:
    """Return what calling a decorated function gives, or what a decorator with settings makes of a function."""
    if not wrapper.wrapped:
        return (Wrapper(wrapper.maker, arguments.at(0) or UNKNOWN, wrapper.settings),)
    settings = dict(wrapper.settings)
    names = [each.arg for each in wrapper.maker.node.args.args]
    if tuple(names[2:4]) == _PACKED:
        given = [wrapper.wrapped, UNKNOWN, *_packed(frame, arguments, node)]
        return frame.call((wrapper.maker,), Arguments(given, settings), node)
    passed = Arguments(
        [wrapper.wrapped, *arguments.positional], {**settings, **arguments.named}, arguments.rest, arguments.partial
    )
    return frame.call((wrapper.maker,), passed, node)


def _packed(frame: Frame, arguments: Arguments, node: ast.AST) -> tuple[Value, Value]:
    positional = frame.made("builtins.tuple", node, arguments.rest)
    positional.attributes = {str(position): value for position, value in enumerate(arguments.positional)}
    named = frame.made("builtins.dict", node, arguments.rest)
    named.attributes = dict(arguments.named)
    return (positional,), (named,)


def is_async(atom: Atom) -> bool:
    """Say whether a callable is `async def`; one around another is if that is."""
    match atom:
        case Function():
            return isinstance(atom.node, ast.AsyncFunctionDef)
        case Bound():
            return is_async(atom.function)
        case Partial() | Wrapper():
            return any(is_async(each) for each in inside(atom))
        case _:
            return False


def is_callable(value: Value) -> bool:
    """Say whether any of a value can be called."""
    return any(isinstance(atom, Function | Bound | Class | Instance | Partial | Wrapper | External) for atom in value)


def with_fallback(result: Value, value: Value) -> Value:
    """Return what a decorator gave; what it was given as well, where that is nothing that can be called."""
    return result if is_callable(result) else join(value, tuple(atom for atom in result if atom not in UNKNOWN))


def inside(atom: Partial | Wrapper) -> Value:
    """Return the callables that a callable is made around."""
    return atom.target if isinstance(atom, Partial) else atom.wrapped or (atom.maker,)
