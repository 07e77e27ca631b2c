"""What calling a callable takes, and what it is: a plain, coroutine, generator or asynchronous generator function.

Read from code objects, because importing `inspect` costs a cold start more than the rest of the core; it is imported for
partial objects, built-in functions and the like only.
"""

from __future__ import annotations

import sys
from functools import partial
from types import FunctionType, MethodType

from polylambda.errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, cast
else:

    def cast(_: object, value: object) -> object:
        """Stand in for `typing.cast`, without the import of typing."""
        return value


# What code objects say, as in `inspect`.
_VARARGS = 0x04
_GENERATOR = 0x20
_COROUTINE = 0x80
_ASYNC_GENERATOR = 0x200

_COROUTINE_MARK = "_is_coroutine_marker"  # left by inspect.markcoroutinefunction


class Signature:
    """What calling a callable takes.

    Attributes:
        parameters: name of each positional parameter, and whether it must be given.
        is_async: calling it returns an awaitable or an asynchronous generator.
        is_generator: calling it returns a generator, asynchronous or not.
        annotated: the function whose annotations say what the parameters are; innermost of a decorated function.
        is_decorated: `annotated` is not what is called but something that it calls.
    """

    __slots__ = ("annotated", "is_async", "is_decorated", "is_generator", "parameters")

    def __init__(self, function: Callable[..., Any], parameters: list[tuple[str, bool]], flags: int) -> None:
        self.parameters = parameters
        self.is_async = bool(flags & (_COROUTINE | _ASYNC_GENERATOR))
        self.is_generator = bool(flags & (_GENERATOR | _ASYNC_GENERATOR))
        self.annotated: Any = function
        while hasattr(self.annotated, "__wrapped__"):
            self.annotated = self.annotated.__wrapped__
        self.is_decorated = self.annotated is not function


def signature_of(target: Callable[..., Any]) -> Signature:
    """Read the signature of `target`.

    Raises:
        ConfigurationError: it has a keyword-only parameter without a default, which no position can fill.
    """
    function, bound = _function_of(target)
    if not isinstance(function, FunctionType):
        return _inspected(target)
    code = function.__code__
    keywords = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
    _refuse_keywords(target, [name for name in keywords if name not in (function.__kwdefaults__ or {})])
    flags = code.co_flags | (_COROUTINE if _COROUTINE_MARK in function.__dict__ else 0)
    return Signature(function, _parameters(function, bound), flags)


def name_of(target: object) -> str:
    """Return what to call a callable or an object in messages: `module.qualified_name`."""
    target = _undone(target)
    named: Any = target if hasattr(target, "__qualname__") else type(target)
    return f"{named.__module__}.{named.__qualname__}"


def _function_of(target: Callable[..., Any]) -> tuple[Callable[..., Any], int]:
    """The function that a method or a callable object stands for, and how many of its parameters are given."""
    if isinstance(target, MethodType):
        return target.__func__, 1
    if not isinstance(target, FunctionType):
        call = getattr(type(target), "__call__", None)  # noqa: B004 # the method itself is wanted
        if isinstance(call, FunctionType):
            return call, 1
    return target, 0


def _parameters(function: FunctionType, bound: int) -> list[tuple[str, bool]]:
    """Names of the positional parameters behind the first `bound`, and whether they are required."""
    code = function.__code__
    names = code.co_varnames[: code.co_argcount]
    required = len(names) - len(function.__defaults__ or ())
    parameters = [(name, index < required) for index, name in enumerate(names)][bound:]
    if code.co_flags & _VARARGS:
        # A decorator that passes on whatever it is called with: what it decorates says what that should be.
        wrapped: Any = getattr(function, "__wrapped__", None)
        if isinstance(wrapped, FunctionType):
            parameters += _parameters(wrapped, bound)[len(parameters) :]
        elif callable(wrapped):
            parameters += signature_of(wrapped).parameters[len(parameters) :]
        else:
            parameters += [("event", True), ("context", True)][len(parameters) :]
    return parameters


def _inspected(target: Callable[..., Any]) -> Signature:
    import inspect

    options: dict[str, Any] = {}
    if sys.version_info >= (3, 14):
        from annotationlib import Format

        options["annotation_format"] = Format.STRING  # the names in annotations need not exist at run time
    try:
        found = inspect.signature(target, **options).parameters.values()
    except (TypeError, ValueError):  # a function in C that does not say
        return Signature(target, [("event", True), ("context", True)], 0)
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    empty = inspect.Parameter.empty
    parameters = [(each.name, each.default is empty) for each in found if each.kind in positional]
    if any(each.kind is inspect.Parameter.VAR_POSITIONAL for each in found):
        parameters += [("event", True), ("context", True)][len(parameters) :]
    _refuse_keywords(
        target, [each.name for each in found if each.kind is inspect.Parameter.KEYWORD_ONLY and each.default is empty]
    )
    flags = _COROUTINE if inspect.iscoroutinefunction(target) else 0
    flags |= _GENERATOR if inspect.isgeneratorfunction(target) else 0
    flags |= _ASYNC_GENERATOR if inspect.isasyncgenfunction(target) else 0
    return Signature(_function_of(_undone(target))[0], parameters, flags)


def _undone(target: Any) -> Any:
    """What a `functools.partial` calls; anything else as it is."""
    while isinstance(target, partial):
        target = cast("Any", target).func
    return target


def _refuse_keywords(target: object, missing: list[str]) -> None:
    if missing:
        raise ConfigurationError(
            f"{name_of(target)} needs the keyword argument {missing[0]!r}: it is called with positions only, so give the "
            "parameter a default or make it positional"
        )
