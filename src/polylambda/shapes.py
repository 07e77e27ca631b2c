"""What a handler's signature and annotations say: which parameter takes what, and what is decoded and encoded how.

Read once, at start. `inspect` and `typing` are imported for unusual or typed handlers only: they cost a cold start more
than everything else here.
"""

from __future__ import annotations

import importlib
import sys
from types import FunctionType, MethodType

from polylambda import codec
from polylambda.context import LambdaContext
from polylambda.errors import ConfigurationError
from polylambda.response import ResponseStream, ResponseWriter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Encode = Callable[[Any], tuple[bytes, str]]

EVENT = "event"
RESPONSE = "response"
CONTEXT = "context"

CO_VARARGS = 0x04
CO_GENERATOR = 0x20
CO_COROUTINE = 0x80
CO_ASYNC_GENERATOR = 0x200


class Shape:
    """What a handler's signature and annotations say."""

    __slots__ = ("decode", "encode", "function", "is_async", "is_generator", "name", "roles", "wants_writer")

    def __init__(self, target: object) -> None:
        self.function = callable_of(target)
        self.name = name_of(target)
        code_owner, flags, parameters = signature_of(self.function, self.name)
        self.is_async = bool(flags & (CO_COROUTINE | CO_ASYNC_GENERATOR))
        self.is_generator = bool(flags & (CO_GENERATOR | CO_ASYNC_GENERATOR))
        hints: dict[str, Any] = {}
        if parameters and getattr(code_owner, "__annotations__", None):
            hints = _hints(code_owner, [name for name, _ in parameters])
        self.roles = _roles(parameters, hints, self.name)

        # The annotations of a decorated function describe what the decorator calls, not what it is called with.
        trusted = {} if hasattr(code_owner, "__wrapped__") else hints
        self.decode: Callable[[bytes], object] | None = None
        self.encode: Encode = codec.dump
        self.wants_writer = False
        for (name, _), role in zip(parameters, self.roles, strict=False):
            if name not in hints:
                continue
            if role == EVENT and name in trusted and not codec.is_untyped(trusted[name]):
                self.decode = self._resolve(codec.decoder, trusted[name], name)
                self.encode = codec.encoder(None)
            if role == RESPONSE:
                arguments = _writer_arguments(hints[name])
                self.wants_writer = arguments is not None
                if arguments:
                    self.encode = self._resolve(codec.encoder, arguments[0], name)
        returned = trusted.get("return")
        if returned is not None and not self.is_generator and not codec.is_untyped(returned):
            self.encode = self._resolve(codec.encoder, returned, "return")

    def _resolve(self, make: Callable[[Any], Any], annotation: object, name: str) -> Any:
        try:
            return make(annotation)
        except ConfigurationError as error:
            what = "what it returns" if name == "return" else f"its parameter {name!r}"
            raise ConfigurationError(f"handler {self.name}: {what}: {error}") from None

    def arguments(self, payload: bytes, response: ResponseStream, context: LambdaContext) -> list[object]:
        """The arguments to call the handler's function with."""
        arguments: list[object] = []
        for role in self.roles:
            if role == EVENT:
                arguments.append(event_of(self.decode, payload, context))
            elif role == CONTEXT:
                arguments.append(context)
            elif self.wants_writer:
                arguments.append(ResponseWriter(response, self.encode))
            else:
                arguments.append(response)
        return arguments


def event_of(decode: Callable[[bytes], object] | None, payload: bytes, context: LambdaContext) -> object:
    """The event as the handler takes it; as with AWS's runtime, what is not called JSON stays bytes."""
    if decode is not None:
        return decode(payload)
    return codec.load(payload) if context.content_type in ("application/json", "") else payload


def callable_of(target: object) -> Callable[..., Any]:
    handle = getattr(target, "handle", None)
    if callable(handle) and not isinstance(target, (FunctionType, MethodType)):
        if isinstance(target, type):
            raise ConfigurationError(
                f"handler {target.__name__} is a class: pass an instance, {target.__name__}(...), with what it depends on"
            )
        return handle
    if not callable(target):
        raise ConfigurationError(
            f"a handler is a function, or an object with a handle() method, not {type(target).__name__}: {target!r:.80}"
        )
    return target


def name_of(target: object) -> str:
    named = target if hasattr(target, "__qualname__") else type(target)
    return f"{getattr(named, '__module__', '?')}.{getattr(named, '__qualname__', '?')}"


def signature_of(function: Callable[..., Any], name: str) -> tuple[Any, int, list[tuple[str, bool]]]:
    """Who carries the annotations, the code flags, and each positional parameter's name and whether it is required.

    `inspect` is imported for unusual callables only: it costs a cold start more than the rest of this module.
    """
    skip = 0
    owner: Any = function
    if not isinstance(owner, (FunctionType, MethodType)) and isinstance(getattr(owner, "__call__", None), MethodType):  # noqa: B004 # the method is what is wanted
        owner = owner.__call__
    if isinstance(owner, MethodType):
        owner = owner.__func__
        skip = 1
    if not isinstance(owner, FunctionType):
        return _inspected(function, name)
    code = owner.__code__
    flags = code.co_flags
    names = code.co_varnames[: code.co_argcount]
    required = len(names) - len(owner.__defaults__ or ())
    parameters = [(each, index < required) for index, each in enumerate(names)][skip:]
    wrapped = getattr(owner, "__wrapped__", None)
    if flags & CO_VARARGS:
        if not parameters and isinstance(wrapped, FunctionType):
            # A decorator that passes on whatever it is called with: the function inside says what that should be.
            parameters = signature_of(wrapped, name)[2]
        parameters = parameters or [("event", True), ("context", True)]
        if len(parameters) == 1:
            parameters.append(("context", True))
    keyword_only = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
    missing = [each for each in keyword_only if each not in (owner.__kwdefaults__ or {})]
    if missing:
        raise ConfigurationError(
            f"handler {name} needs the keyword {missing[0]!r}: a handler is called with positions only"
        )
    if "_is_coroutine_mark" in owner.__dict__:
        flags |= CO_COROUTINE
    return owner, flags, parameters


def _inspected(function: Callable[..., Any], name: str) -> tuple[Any, int, list[tuple[str, bool]]]:
    """`_signature` of partial objects, built-in and compiled functions."""
    import inspect

    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return function, 0, [("event", True), ("context", True)]
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    parameters = [
        (each.name, each.default is inspect.Parameter.empty)
        for each in signature.parameters.values()
        if each.kind in positional
    ]
    flags = CO_COROUTINE if inspect.iscoroutinefunction(function) else 0
    flags |= CO_GENERATOR if inspect.isgeneratorfunction(function) else 0
    flags |= CO_ASYNC_GENERATOR if inspect.isasyncgenfunction(function) else 0
    return getattr(function, "func", function), flags, parameters


def _hints(owner: Any, parameters: list[str]) -> dict[str, Any]:
    """The annotations as types; those that cannot be resolved, such as names imported for type checkers only, as text."""
    namespace = getattr(sys.modules.get(owner.__module__), "__dict__", {}) if hasattr(owner, "__module__") else {}
    try:
        raw: dict[str, Any] = dict(owner.__annotations__)
    except NameError:  # Python 3.14 evaluates annotations when they are asked for
        annotationlib: Any = importlib.import_module("annotationlib")
        raw = annotationlib.get_annotations(owner, format=annotationlib.Format.FORWARDREF)
    hints: dict[str, Any] = {}
    for name in [*parameters, "return"]:
        hint = raw.get(name)
        if isinstance(hint, str):
            try:
                hint = eval(hint, getattr(owner, "__globals__", namespace))  # noqa: S307 # as typing.get_type_hints does
            except Exception:
                continue
        if hint is not None:
            hints[name] = hint
    return hints


def _roles(parameters: list[tuple[str, bool]], hints: dict[str, Any], name: str) -> tuple[str, ...]:
    """What each positional parameter is given; optional ones that are nothing of ours keep their defaults."""
    roles: list[str] = []
    for parameter, required in parameters:
        hint = hints.get(parameter)
        if _writer_arguments(hint) is not None or hint is ResponseStream:
            role = RESPONSE
        elif hint is LambdaContext:
            role = CONTEXT
        elif not roles:
            role = EVENT
        elif parameter == RESPONSE and (required or CONTEXT not in roles):
            role = RESPONSE
        elif required or parameter == CONTEXT:
            role = CONTEXT
        else:
            break
        if role in roles:
            raise ConfigurationError(
                f"handler {name} has a parameter too many, {parameter!r}: a handler takes (event, context), "
                "or (event, response, context) with response: ResponseWriter[...] or ResponseStream"
            )
        roles.append(role)
    return tuple(roles)


def _writer_arguments(hint: object) -> tuple[Any, ...] | None:
    """`(Out,)` of `ResponseWriter[Out]`, `()` of a bare `ResponseWriter`, None of anything else."""
    if hint is ResponseWriter:
        return ()
    return hint.__args__ if getattr(hint, "__origin__", None) is ResponseWriter else None  # pyright: ignore
