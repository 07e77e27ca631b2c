"""Any callable -> the waist: *(payload bytes, response, context)*.

A handler's shape is compiled once, at start, to one function of three arguments that a worker calls for every invocation.
What its signature says is read in `shapes`, what the bytes mean is `codec`'s business, where the response goes `response`'s.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from types import AsyncGeneratorType, GeneratorType

from polylambda.context import LambdaContext
from polylambda.errors import ConfigurationError
from polylambda.response import ResponseStream
from polylambda.shapes import RESPONSE, UNFINISHED, Shape
from polylambda.signatures import name_of, signature_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator, Sequence
    from contextlib import AbstractAsyncContextManager
    from typing import Any

    from polylambda.codec import Encode

    OwnLifespan = Callable[[Any], AbstractAsyncContextManager[Any]]

Waist = Callable[[bytes, ResponseStream, LambdaContext], Awaitable[None] | None]
"""A blocking handler's waist returns None; an asynchronous one returns what must be awaited."""

Middleware = Callable[[bytes, ResponseStream, LambdaContext, Waist], Awaitable[None] | None]
"""What goes around the waist: `(payload, response, context, call_next)`."""


class Handler:
    """A compiled handler.

    Attributes:
        name: what to call it in messages.
        is_async: the waist returns an awaitable and needs a running event loop.
        call: the waist, middleware included.
        lifespan: makes the asynchronous context manager that the handler itself brings, of what the runtime's lifespan
            yielded; None: it brings none.
    """

    __slots__ = ("call", "is_async", "lifespan", "name")

    def __init__(self, name: str, is_async: bool, call: Waist, lifespan: OwnLifespan | None = None) -> None:
        self.name = name
        self.is_async = is_async
        self.call = call
        self.lifespan = lifespan

    def __repr__(self) -> str:
        return f"<Handler {self.name}>"


def compile_handler(target: object, middleware: Sequence[Middleware] = ()) -> Handler:
    """Compile `target`, a callable or an object with a `handle` method, to the waist.

    Args:
        target: a function, generator function, coroutine function, asynchronous generator function, or an object.
        middleware: callables `(payload, response, context, call_next)` around the waist, outermost first.

    Raises:
        ConfigurationError: nothing that can handle an event, an annotation that cannot be decoded, or middleware that
            does not fit.
    """
    shape = Shape(target)
    call = _compile_async(shape) if shape.is_async else _compile_sync(shape)
    for layer in reversed(middleware):
        call = _wrap(layer, call, shape)
    return Handler(shape.name, shape.is_async, call, getattr(target, "__polylambda_lifespan__", None))


def _compile_sync(shape: Shape) -> Waist:
    call, encode = shape.call, shape.encode
    if shape.is_generator:
        return lambda payload, response, context: _stream(call(payload, response, context), response)

    gives = RESPONSE not in shape.roles  # what it returns is the answer

    def handle(payload: bytes, response: ResponseStream, context: LambdaContext) -> None:
        result = call(payload, response, context)
        if type(result) in UNFINISHED:
            _settle(result, response, encode if gives else None)
        elif gives:
            body, content_type = encode(result)
            response.give(body, content_type)

    return handle


def _compile_async(shape: Shape) -> Waist:
    call, encode = shape.call, shape.encode
    if shape.is_generator:
        return lambda payload, response, context: _stream_async(call(payload, response, context), response)

    gives = RESPONSE not in shape.roles

    async def handle(payload: bytes, response: ResponseStream, context: LambdaContext) -> None:
        result = await call(payload, response, context)
        if type(result) in UNFINISHED:
            await _settle_async(result, response, encode if gives else None)
        elif gives:
            body, content_type = encode(result)
            response.give(body, content_type)

    return handle


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


def _settle(result: Any, response: ResponseStream, encode: Encode | None) -> None:
    """Finish what a `def` handler began and returned: decorators often hide `async def` and `yield` in this way."""
    if type(result) is GeneratorType:
        _stream(result, response)  # pyright: ignore[reportUnknownArgumentType] # what it yields is checked as it comes
        return
    from polylambda.loop import run_until_complete

    run_until_complete(_settle_async(result, response, encode))


async def _settle_async(result: Any, response: ResponseStream, encode: Encode | None) -> None:
    """Finish what a handler began and returned; on an event loop, where a generator's pieces wait for their turn."""
    if type(result) is AsyncGeneratorType:
        await _stream_async(result, response)  # pyright: ignore[reportUnknownArgumentType] # as above
    elif type(result) is GeneratorType:
        await _stream_async(_turned(result), response)  # pyright: ignore[reportUnknownArgumentType] # as above
    else:
        value = await result
        if encode is not None:
            response.give(*encode(value))


async def _turned(chunks: Generator[bytes | str, None, None]) -> AsyncGenerator[bytes | str, None]:
    """A generator as an asynchronous one."""
    try:
        for chunk in chunks:
            yield chunk
    finally:
        chunks.close()


def _wrap(layer: Middleware, call_next: Waist, shape: Shape) -> Waist:
    """Put `layer` around `call_next`."""
    if not callable(layer) or isinstance(layer, type):
        raise ConfigurationError(f"middleware is a function (payload, response, context, call_next), not {layer!r:.80}")
    name = name_of(layer)
    if signature_of(layer).is_async:
        if not shape.is_async:
            raise ConfigurationError(
                f"middleware {name} is async def, but handler {shape.name} is not: declare both one way or the other"
            )
        return lambda payload, response, context: layer(payload, response, context, call_next)
    if not shape.is_async:
        return lambda payload, response, context: layer(payload, response, context, call_next)

    def forward(payload: bytes, response: ResponseStream, context: LambdaContext) -> Awaitable[None]:
        result = layer(payload, response, context, call_next)
        if result is None:
            raise TypeError(f"middleware {name} returned None: return call_next(...), or declare it async def")
        return result

    return forward
