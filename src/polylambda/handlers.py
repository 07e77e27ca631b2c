"""Any callable -> the waist: *(payload bytes, response, context)*.

A handler's shape is compiled once, at start, to one function of three arguments that a worker calls for every invocation.
What its signature says is read in `shapes`, what the bytes mean is `codec`'s business, where the response goes `response`'s.
"""

from __future__ import annotations

from types import AsyncGeneratorType, CoroutineType, GeneratorType

from polylambda import codec
from polylambda.errors import ConfigurationError
from polylambda.response import OPEN
from polylambda.shapes import CO_COROUTINE, CONTEXT, EVENT, RESPONSE, Shape, callable_of, name_of, signature_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Sequence
    from typing import Any

    from polylambda.context import LambdaContext
    from polylambda.response import ResponseStream
    from polylambda.shapes import Encode

    # A blocking handler's waist returns None; an asynchronous one returns what must be awaited.
    Waist = Callable[[bytes, ResponseStream, LambdaContext], Awaitable[None] | None]
    Middleware = Callable[[bytes, ResponseStream, LambdaContext, Waist], Awaitable[None] | None]

_LAZY_RESULTS = frozenset({CoroutineType, GeneratorType, AsyncGeneratorType})


class Handler:
    """A compiled handler.

    Attributes:
        name: what to call it in messages.
        is_async: the waist returns an awaitable and needs a running event loop.
        call: the waist, middleware included.
    """

    __slots__ = ("call", "is_async", "name")

    def __init__(self, name: str, is_async: bool, call: Waist) -> None:
        self.name = name
        self.is_async = is_async
        self.call = call

    def __repr__(self) -> str:
        return f"<Handler {self.name}>"


def compile_handler(target: object, middleware: Sequence[Middleware] = ()) -> Handler:
    """Compile `target`, a callable or an object with a `handle` method, to the waist.

    Args:
        target: a function, generator function, coroutine function, asynchronous generator function, or an object.
        middleware: callables `(payload, response, context, call_next)` around the waist, outermost first.

    Raises:
        ConfigurationError: nothing that can handle an event, or an annotation that cannot be decoded.
    """
    shape = Shape(target)
    call = _compile_async(shape) if shape.is_async else _compile_sync(shape)
    for layer in reversed(middleware):
        call = _wrap(layer, call, shape)
    return Handler(shape.name, shape.is_async, call)


def _compile_sync(shape: Shape) -> Waist:
    function = shape.function
    encode = shape.encode
    if shape.is_generator:

        def stream(payload: bytes, response: ResponseStream, context: LambdaContext) -> None:
            _stream(function(*shape.arguments(payload, response, context)), response)

        return stream

    if RESPONSE in shape.roles:

        def write(payload: bytes, response: ResponseStream, context: LambdaContext) -> None:
            result = function(*shape.arguments(payload, response, context))
            if type(result) in _LAZY_RESULTS:
                _settle(result, response, encode)

        return write

    if shape.roles == (EVENT, CONTEXT) and shape.decode is None:
        # The shape of nearly every function there is, and the one that benchmarks measure.
        load = codec.load
        json = ("application/json", "")

        def buffered(payload: bytes, response: ResponseStream, context: LambdaContext) -> None:
            result = function(load(payload) if context.content_type in json else payload, context)
            if type(result) in _LAZY_RESULTS:
                _settle(result, response, encode)
            else:
                response.give(*encode(result))

        return buffered

    def call(payload: bytes, response: ResponseStream, context: LambdaContext) -> None:
        result = function(*shape.arguments(payload, response, context))
        if type(result) in _LAZY_RESULTS:
            _settle(result, response, encode)
        else:
            response.give(*encode(result))

    return call


def _compile_async(shape: Shape) -> Waist:
    function = shape.function
    encode = shape.encode
    if shape.is_generator:

        async def stream(payload: bytes, response: ResponseStream, context: LambdaContext) -> None:
            await _stream_async(function(*shape.arguments(payload, response, context)), response)

        return stream

    if RESPONSE in shape.roles:

        async def write(payload: bytes, response: ResponseStream, context: LambdaContext) -> None:
            await function(*shape.arguments(payload, response, context))

        return write

    async def buffered(payload: bytes, response: ResponseStream, context: LambdaContext) -> None:
        response.give(*encode(await function(*shape.arguments(payload, response, context))))

    return buffered


def _stream(chunks: Generator[bytes | str, None, None], response: ResponseStream) -> None:
    try:
        for chunk in chunks:
            response.write(chunk)
        response.finish()
    finally:
        chunks.close()


async def _stream_async(chunks: AsyncGenerator[bytes | str, None], response: ResponseStream) -> None:
    try:
        async for chunk in chunks:
            await response.write(chunk)
        await response.finish()
    finally:
        await chunks.aclose()


def _settle(result: Any, response: ResponseStream, encode: Encode) -> None:
    """Finish what a `def` handler began and returned: decorators often hide `async def` and `yield` in this way."""
    if isinstance(result, GeneratorType):
        _stream(result, response)  # pyright: ignore[reportUnknownArgumentType] # what it yields is checked as it comes
        return
    from polylambda.loop import run_until_complete

    if isinstance(result, AsyncGeneratorType):
        run_until_complete(_stream_async(result, response))  # pyright: ignore[reportUnknownArgumentType] # as above
        return
    value = run_until_complete(result)
    if response.state == OPEN:
        response.give(*encode(value))


def _wrap(layer: Middleware, call_next: Waist, shape: Shape) -> Waist:
    name = name_of(layer)
    _, flags, _ = signature_of(callable_of(layer), name)
    if not flags & CO_COROUTINE:
        if shape.is_async:

            def forward(payload: bytes, response: ResponseStream, context: LambdaContext) -> Awaitable[None]:
                result = layer(payload, response, context, call_next)
                if result is None:
                    raise TypeError(f"middleware {name} returned None: return call_next(...), or declare it async def")
                return result

            return forward

        def call(payload: bytes, response: ResponseStream, context: LambdaContext) -> None:
            layer(payload, response, context, call_next)

        return call
    if not shape.is_async:
        raise ConfigurationError(
            f"middleware {name} is async def, but handler {shape.name} is not: declare both one way or the other"
        )

    def call_async(payload: bytes, response: ResponseStream, context: LambdaContext) -> Awaitable[None] | None:
        return layer(payload, response, context, call_next)

    return call_async
