"""What a handler's signature and annotations say: which parameter takes what, and what is decoded and encoded how.

Read once, at start. Annotations that cannot be resolved, such as names imported for type checkers only, say nothing, so
that existing functions run as they are.
"""

from __future__ import annotations

import sys
from types import AsyncGeneratorType, CoroutineType, GeneratorType

from polylambda import codec
from polylambda.context import LambdaContext
from polylambda.errors import ConfigurationError
from polylambda.rapi.headers import JSON
from polylambda.response import ResponseStream, ResponseWriter
from polylambda.signatures import name_of, signature_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from polylambda.codec import Decode, Encode

EVENT = "event"
RESPONSE = "response"
CONTEXT = "context"

_OURS = {each.__name__: each for each in (LambdaContext, ResponseStream, ResponseWriter)}
_JSON_TYPES = (JSON, "")
_ASGI = ["scope", "receive", "send"]
# What calling an asynchronous or generator function returns, and a decorator may pass on.
UNFINISHED: dict[type, str] = {
    CoroutineType: "coroutine",
    GeneratorType: "generator",
    AsyncGeneratorType: "asynchronous generator",
}


class Shape:
    """What a handler's signature and annotations say.

    Attributes:
        name: what to call the handler in messages.
        is_async: it needs a running event loop.
        is_generator: it yields its response.
        roles: what its positional parameters take, in their order.
        call: the handler's own function, called with what an invocation consists of instead of its own parameters.
        encode: makes bytes of its result.
    """

    __slots__ = ("call", "encode", "is_async", "is_generator", "name", "roles")

    def __init__(self, target: object) -> None:
        """Read `target`.

        Raises:
            ConfigurationError: it is nothing that can handle an event, or an annotation cannot be decoded.
        """
        function = _callable_of(target)
        self.name = name_of(target)
        signature = signature_of(function)
        self.is_async = signature.is_async
        self.is_generator = signature.is_generator
        hints = _hints(signature.annotated)
        self.roles = _roles(signature.parameters, hints, self.name)
        named = dict(zip(self.roles, [name for name, _ in signature.parameters], strict=False))

        # The annotations of a decorated function describe what the decorator calls, not what it is called with.
        trusted = {} if signature.is_decorated else hints
        event = trusted.get(named.get(EVENT, ""))
        decode = None
        self.encode: Encode = codec.dump
        if event is not None and not codec.is_untyped(event):
            decode = self._resolve(codec.decoder, event, f"its parameter {named[EVENT]!r}")
            self.encode = codec.encoder(None)
        result = trusted.get("return")
        if result is not None and not self.is_generator and not codec.is_untyped(result):
            self.encode = self._resolve(codec.encoder, result, "what it returns")

        written = _written(hints.get(named.get(RESPONSE, "")))
        if written is not None:
            if self.is_generator:
                raise ConfigurationError(
                    f"handler {self.name} yields its response and takes a ResponseWriter too: take a ResponseStream"
                )
            if written:
                self.encode = self._resolve(codec.encoder, written[0], f"its parameter {named[RESPONSE]!r}")
        self.call = _caller(function, self.roles, decode, self.encode if written is not None else None)

    def _resolve(self, make: Callable[[Any], Any], annotation: object, what: str) -> Any:
        try:
            return make(annotation)
        except ConfigurationError as error:
            raise ConfigurationError(f"handler {self.name}: {what}: {error}") from None


def _callable_of(target: object) -> Callable[..., Any]:
    """What to call, of a handler or a handler object. What is callable is called, as AWS's runtime would."""
    if isinstance(target, type):
        raise ConfigurationError(
            f"handler {name_of(target)} is a class: pass an instance, {target.__name__}(...), with what it depends on"
        )
    if callable(target):
        return target
    handle = getattr(target, "handle", None)
    if callable(handle):
        return handle
    kind = UNFINISHED.get(type(target))
    if kind is not None:
        called = getattr(target, "__qualname__", "it")
        raise ConfigurationError(f"the handler is a {kind}: pass the function {called} itself, without calling it")
    raise ConfigurationError(
        f"a handler is a function, or an object with a handle() method, not {type(target).__name__}: {target!r:.80}"
    )


def _caller(
    function: Callable[..., Any], roles: tuple[str, ...], decode: Decode | None, encode: Encode | None
) -> Callable[[bytes, ResponseStream, LambdaContext], Any]:
    """A function of an invocation's parts that calls `function` with those that it takes."""
    load = codec.load

    def event(payload: bytes, context: LambdaContext) -> Any:
        if decode is not None:
            return decode(payload)
        # As with AWS's runtime, what is not called JSON stays bytes.
        return load(payload) if context.content_type in _JSON_TYPES else payload

    if roles == (EVENT, CONTEXT):  # nearly every function there is: without the calls and lists of the others
        if decode is not None:
            return lambda payload, _, context: function(decode(payload), context)

        def call(payload: bytes, response: ResponseStream, context: LambdaContext) -> Any:  # noqa: ARG001 # like its peer
            return function(load(payload) if context.content_type in _JSON_TYPES else payload, context)

        return call

    def call_with(payload: bytes, response: ResponseStream, context: LambdaContext) -> Any:
        arguments: list[object] = []
        for role in roles:
            if role is EVENT:
                arguments.append(event(payload, context))
            elif role is CONTEXT:
                arguments.append(context)
            elif encode is None:
                arguments.append(response)
            else:
                writer: ResponseWriter[Any] = ResponseWriter(response, encode)
                arguments.append(writer)
        return function(*arguments)

    return call_with


def _roles(parameters: list[tuple[str, bool]], hints: dict[str, Any], name: str) -> tuple[str, ...]:
    """What each positional parameter takes: by annotation, by the name `response`, else the event, then the context.

    Further parameters keep their defaults.
    """
    by_position = [EVENT, CONTEXT]
    roles: list[str] = []
    for parameter, required in parameters:
        hint = hints.get(parameter)
        role = RESPONSE if hint is ResponseStream or _written(hint) is not None else CONTEXT
        if role == CONTEXT and hint is not LambdaContext:
            if parameter == RESPONSE and required and roles:
                role = RESPONSE
            elif by_position:
                role = by_position[0]
            elif not required:
                break
        if role in roles:
            if [each for each, _ in parameters] == _ASGI:
                raise ConfigurationError(
                    f"{name} is an ASGI application: polylambda.asgi.handler(...) makes a handler of one"
                )
            raise ConfigurationError(
                f"handler {name} has a parameter too many, {parameter!r}: a handler takes (event, context), or "
                "(event, response, context) with response: ResponseWriter[...] or ResponseStream"
            )
        if role in by_position:
            by_position.remove(role)
        roles.append(role)
    return tuple(roles)


def _hints(function: Any) -> dict[str, Any]:
    """The annotations of `function` as types, as far as they can be resolved."""
    try:
        annotations: dict[str, Any] = dict(getattr(function, "__annotations__", {}))
    except Exception:  # from Python 3.14 on this runs the annotations, which may raise anything
        annotationlib: Any = __import__("annotationlib")
        annotations = annotationlib.get_annotations(function, format=annotationlib.Format.STRING)
    hints = {name: _resolved(hint, function) for name, hint in annotations.items()}
    return {name: hint for name, hint in hints.items() if hint is not None}


def _resolved(hint: Any, function: Any) -> Any:
    """What an annotation means, in text form or not; None if nobody knows."""
    for _ in range(2):  # `from __future__ import annotations` quotes what was quoted already
        if isinstance(hint, str):
            try:
                hint = eval(hint, _namespace(function))  # noqa: S307 # as typing.get_type_hints does
            except Exception:  # it may be any expression
                return _OURS.get(hint.partition("[")[0].rpartition(".")[2])
    return hint


def _namespace(function: Any) -> dict[str, Any]:
    return function.__globals__ if hasattr(function, "__globals__") else vars(sys.modules[function.__module__])


def _written(hint: object) -> tuple[Any, ...] | None:
    """`(Out,)` of `ResponseWriter[Out]`, `()` of a bare `ResponseWriter`, None of anything else."""
    if hint is ResponseWriter:
        return ()
    return getattr(hint, "__args__", ()) if getattr(hint, "__origin__", None) is ResponseWriter else None
