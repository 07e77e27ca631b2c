"""Handlers of every shape, compiled to the waist and called with a response that remembers."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from polylambda import (
    ConfigurationError,
    LambdaContext,
    MarshalError,
    ResponseError,
    ResponseStream,
    ResponseWriter,
    UnmarshalError,
    ValidationError,
    loop,
)
from polylambda.handlers import compile_handler
from polylambda.rapi.events import Invocation
from polylambda.response import DONE, FINISHED, OPEN, STREAMING
from polylambda.settings import Settings

JSON = "application/json"


@dataclass
class Order:
    item: str
    count: int = 1


class Sink:
    """Remembers what was sent, and in how many pieces."""

    def __init__(self) -> None:
        self.sent: list[Any] = []

    def answer(self, body: bytes, content_type: str) -> Awaitable[None]:
        self.sent.append((content_type, body))
        return DONE

    def start(self, content_type: str) -> None:
        self.sent.append(content_type)

    def send(self, data: bytes) -> Awaitable[None]:
        self.sent.append(data)
        return DONE

    def end(self, report: object) -> Awaitable[None]:
        self.sent.append(report)
        return DONE


def make_context(content_type: str = JSON) -> LambdaContext:
    headers = {
        "lambda-runtime-aws-request-id": "1",
        "lambda-runtime-deadline-ms": "1000",
        "lambda-runtime-invoked-function-arn": "arn",
        "content-type": content_type,
    }
    return LambdaContext(Invocation(b"", headers), Settings({}))


class Call:
    """One call of a handler, on the way to its end or at it."""

    def __init__(
        self, target: object, payload: bytes = b'{"item": "tea"}', middleware: Any = (), **context: str
    ) -> None:
        handler = compile_handler(target, middleware)
        self.is_async = handler.is_async
        self.sink = Sink()
        self.response = ResponseStream(self.sink)
        handling = handler.call(payload, self.response, make_context(**context))
        if handling is not None:

            async def wait() -> None:
                await handling

            asyncio.run(wait())

    @property
    def result(self) -> bytes | None:
        return self.response.body


@pytest.fixture(autouse=True)
def _closed_loop() -> Iterator[None]:
    yield
    loop.close()


STREAM = ["application/octet-stream", b"one", b"two", None]


# The shapes


def test_a_function():
    call = Call(lambda event, context: {"got": event, "id": context.aws_request_id})
    assert call.result == b'{"got":{"item":"tea"},"id":"1"}'
    assert call.response.content_type == JSON
    assert not call.is_async


def test_a_coroutine_function():
    async def handler(event, context):
        await asyncio.sleep(0)
        return event

    call = Call(handler)
    assert call.result == b'{"item":"tea"}'
    assert call.is_async


def test_a_generator_function():
    def handler(event, context):
        yield b"one"
        yield "two"

    assert Call(handler).sink.sent == STREAM


def test_an_asynchronous_generator_function():
    async def handler(event, context):
        yield b"one"
        await asyncio.sleep(0)
        yield "two"

    assert Call(handler).sink.sent == STREAM


def test_a_generator_may_give_the_head_of_an_http_response():
    def handler(event, response: ResponseStream):
        response.start_http(418)
        yield b"tea"

    kind, data, end = Call(handler).sink.sent
    assert kind == "application/vnd.awslambda.http-integration-response"
    assert data == b'{"statusCode": 418}' + b"\0" * 8 + b"tea"
    assert end is None


def test_a_generator_that_yields_nothing_sends_nothing():
    def handler(event):
        yield from ()

    assert Call(handler).sink.sent == [("application/octet-stream", b"")]


def test_a_writer():
    async def handler(event: Order, response: ResponseWriter[Order], context):
        await response.write(Order(event.item, 2))
        return "ignored"

    assert Call(handler).sink.sent == [(JSON, b'{"item":"tea","count":2}')]


def test_a_blocking_writer():
    def handler(event: Order, response: ResponseWriter[Order], context):
        response.write(Order(event.item, 2))

    assert Call(handler).sink.sent == [(JSON, b'{"item":"tea","count":2}')]


def test_a_raw_stream():
    async def handler(event: bytes, response: ResponseStream, context):
        await response.write(event)
        await response.finish("!")

    assert Call(handler, b"\xff").sink.sent == ["application/octet-stream", b"\xff", b"!", None]


class Shop:
    def __init__(self, price: int) -> None:
        self.price = price

    async def handle(self, event: Order, context):
        return {"price": self.price * event.count}


class Counter:
    def __call__(self, event, context):
        return 1


def test_objects_with_handle_and_objects_that_can_be_called():
    assert Call(Shop(7), b'{"item": "tea", "count": 6}').result == b'{"price":42}'
    assert Call(Counter()).result == b"1"
    assert Call(Shop(7).handle).result == b'{"price":7}'


def test_a_partial():
    async def handler(table, event, context):
        return table

    assert Call(functools.partial(handler, "orders")).result == b'"orders"'


def test_a_built_in_function():
    assert Call(len, b"[1, 2]").result == b"2"


# Results


def test_none_is_null():
    """E17."""
    assert Call(lambda event, context: None).result == b"null"


def test_bytes_are_sent_as_they_are():
    call = Call(lambda event, context: b"\0\xff")
    assert (call.result, call.response.content_type) == (b"\0\xff", "application/unknown")


def test_a_result_that_is_not_json_is_an_error():
    with pytest.raises(MarshalError, match="Unable to marshal response"):
        Call(lambda event, context: {1, 2})


def test_a_result_waits_for_the_end_of_the_handler():
    call = Call(lambda event, context: 1)
    assert call.sink.sent == []
    assert call.response.state == FINISHED


# Events


def test_an_event_that_is_not_json_does_not_reach_the_handler():
    """E18."""

    def handler(event: Order, context):
        raise AssertionError("it was called")

    with pytest.raises(UnmarshalError):
        Call(handler, b'{"item": ')
    with pytest.raises(ValidationError, match=r"event\.item"):
        Call(handler, b'{"item": 1}')


def test_a_bad_event_of_a_coroutine_function_is_an_error_of_the_call():
    async def handler(event: Order, context):
        raise AssertionError("it was called")

    with pytest.raises(ValidationError):
        Call(handler, b"{}")


def test_an_untyped_event_that_is_not_json_is_an_error():
    with pytest.raises(UnmarshalError):
        Call(lambda event, context: event, b"nonsense")


def test_an_event_of_another_media_type_is_bytes():
    assert Call(lambda event, context: event, b"nonsense", content_type="text/plain").result == b"nonsense"


# Decorators


def passes_on(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)

    return wrapper


def like_powertools(function):
    """As Logger.inject_lambda_context and Tracer.capture_lambda_handler do it."""

    @functools.wraps(function)
    def decorate(event, context, *args, **kwargs):
        return function(event, context, *args, **kwargs)

    return decorate


def runs(function):
    @functools.wraps(function)
    def wrapper(event, context):
        return asyncio.run(function(event, context))

    return wrapper


def awaits(function):
    @functools.wraps(function)
    async def wrapper(*args):
        result = function(*args)
        return await result if inspect.isawaitable(result) else result

    return wrapper


def returns(function):
    @functools.wraps(function)
    async def wrapper(*args):
        return function(*args)

    return wrapper


async def coroutine(event, context):
    await asyncio.sleep(0)
    return event


def generator(event, context):
    yield b"one"
    yield "two"


async def asynchronous_generator(event, context):
    yield b"one"
    await asyncio.sleep(0)
    yield "two"


async def writer(event, response: ResponseWriter, context):
    await response.write(event)


@pytest.mark.parametrize(
    "decorate", [passes_on, like_powertools, runs, awaits, returns, functools.lru_cache, functools.partial]
)
def test_a_decorated_coroutine_function(decorate):
    decorated = decorate(coroutine)
    if decorate is functools.lru_cache:
        assert Call(decorated, b"1").result == b"1"
    else:
        assert Call(decorated).result == b'{"item":"tea"}'


@pytest.mark.parametrize("decorate", [passes_on, like_powertools, awaits, returns])
@pytest.mark.parametrize("function", [generator, asynchronous_generator])
def test_a_decorated_generator_function(decorate, function):
    assert Call(decorate(function)).sink.sent == STREAM


@pytest.mark.parametrize("decorate", [passes_on, awaits, returns])
def test_a_decorated_function_with_a_writer(decorate):
    assert Call(decorate(writer)).sink.sent == [(JSON, b'{"item":"tea"}')]


@pytest.mark.parametrize("decorate", [passes_on, awaits, returns])
def test_a_decorated_function_with_a_writer_that_writes_nothing_has_not_answered(decorate):
    async def silent(event, response: ResponseWriter, context): ...

    call = Call(decorate(silent))
    assert (call.sink.sent, call.response.state) == ([], OPEN)


def test_coroutines_behind_a_def_share_one_loop():
    seen = set()

    @passes_on
    async def handler(event, context):
        seen.add(id(asyncio.get_running_loop()))

    for _ in range(3):
        Call(handler)
    assert len(seen) == 1


def test_coroutines_behind_a_def_see_the_context_of_the_call():
    variable = contextvars.ContextVar("variable")

    @passes_on
    async def handler(event, context):
        return variable.get()

    variable.set("seen")
    assert Call(handler).result == b'"seen"'


# Streams


class Refuses(Sink):
    def send(self, data: bytes) -> Awaitable[None]:
        raise ConnectionResetError


def test_a_generator_is_closed_when_its_response_is_refused():
    closed = []

    def handler(event):
        try:
            yield b"one"
        finally:
            closed.append(True)

    with pytest.raises(ConnectionResetError) as caught:
        compile_handler(handler).call(b"1", ResponseStream(Refuses()), make_context())
    assert closed == [True]
    del caught  # until here its traceback kept the generator alive


def test_an_asynchronous_generator_is_closed_when_its_response_is_refused():
    closed = []

    async def handler(event):
        try:
            yield b"one"
        finally:
            await asyncio.sleep(0)
            closed.append(True)

    async def stream() -> None:
        handling = compile_handler(handler).call(b"1", ResponseStream(Refuses()), make_context())
        assert handling is not None
        with pytest.raises(ConnectionResetError) as caught:
            await handling
        assert closed == [True]
        del caught  # as above

    asyncio.run(stream())


def test_an_asynchronous_generator_is_not_pulled_while_its_response_is_not_taken():
    """Backpressure: it is asked for a piece when the one before has been taken."""
    pulled = []

    async def handler(event):
        for number in range(3):
            pulled.append(number)
            yield b"piece"

    async def stream() -> None:
        taken = asyncio.get_running_loop().create_future()

        class Slow(Sink):
            def send(self, data: bytes) -> Awaitable[None]:
                return taken

        handling = compile_handler(handler).call(b"1", ResponseStream(Slow()), make_context())
        assert handling is not None
        task = asyncio.ensure_future(handling)
        for _ in range(10):
            await asyncio.sleep(0)
        assert pulled == [0]
        taken.set_result(None)
        await task
        assert pulled == [0, 1, 2]

    asyncio.run(stream())


def test_a_piece_that_is_neither_bytes_nor_text_is_an_error():
    def handler(event):
        yield {"not": "bytes"}

    with pytest.raises(TypeError, match="a response is made of bytes or str, not dict"):
        Call(handler)


def test_an_error_before_the_first_byte_leaves_the_response_open():
    """E12: so it can be answered with the error."""

    def handler(event):
        raise KeyError("item")
        yield

    handler_ = compile_handler(handler)
    response = ResponseStream(Sink())
    with pytest.raises(KeyError):
        handler_.call(b"1", response, make_context())
    assert response.state == OPEN


def test_an_error_after_the_first_byte_leaves_the_response_streaming():
    """E13: so it can be cut short with the error."""

    def handler(event):
        yield b"one"
        raise KeyError("item")

    response = ResponseStream(Sink())
    with pytest.raises(KeyError):
        compile_handler(handler).call(b"1", response, make_context())
    assert response.state == STREAMING


# Middleware

Next = Callable[[bytes, ResponseStream, LambdaContext], Any]


def test_the_first_middleware_is_outermost():
    order: list[str] = []

    def layer(name: str) -> Any:
        def wrap(payload, response, context, call_next):
            order.append(f"{name} begins")
            call_next(payload, response, context)
            order.append(f"{name} ends")

        return wrap

    Call(lambda event, context: order.append("handler"), middleware=[layer("first"), layer("second")])
    assert order == ["first begins", "second begins", "handler", "second ends", "first ends"]


def test_asynchronous_middleware_around_an_asynchronous_handler():
    order: list[str] = []

    async def layer(payload: bytes, response: ResponseStream, context: LambdaContext, call_next: Next) -> None:
        order.append("begins")
        await call_next(payload, response, context)
        order.append("ends")

    assert Call(coroutine, middleware=[layer, layer]).result == b'{"item":"tea"}'
    assert order == ["begins", "begins", "ends", "ends"]


def test_middleware_may_answer_instead_of_the_handler():
    def layer(payload, response, context, call_next):
        response.content_type = "text/plain"
        response.finish("no")

    call = Call(lambda event, context: pytest.fail("it was called"), middleware=[layer])
    assert call.sink.sent == [("text/plain", b"no")]


def test_middleware_may_change_the_payload():
    def layer(payload, response, context, call_next):
        call_next(b'"changed"', response, context)

    assert Call(lambda event, context: event, middleware=[layer]).result == b'"changed"'


def test_middleware_may_replace_the_result():
    def layer(payload, response, context, call_next):
        call_next(payload, response, context)
        response.body = response.body.upper()

    call = Call(lambda event, context: event, middleware=[layer])
    assert (call.result, call.response.content_type) == (b'{"ITEM":"TEA"}', JSON)


def test_middleware_may_make_an_answer_of_an_error():
    def layer(payload, response, context, call_next):
        try:
            call_next(payload, response, context)
        except KeyError as error:
            response.finish(f"no {error}")

    def handler(event, context):
        return event["price"]

    assert Call(handler, middleware=[layer]).sink.sent == [("application/octet-stream", b"no 'price'")]


def test_middleware_may_call_the_handler_again_when_it_failed():
    attempts = []

    def layer(payload, response, context, call_next):
        try:
            call_next(payload, response, context)
        except ValueError:
            call_next(payload, response, context)

    def handler(event, context):
        attempts.append(event)
        if len(attempts) == 1:
            raise ValueError
        return len(attempts)

    assert Call(handler, middleware=[layer]).result == b"2"


def test_middleware_may_not_call_the_handler_again_when_it_answered():
    def layer(payload, response, context, call_next):
        call_next(payload, response, context)
        call_next(payload, response, context)

    with pytest.raises(ResponseError) as caught:
        Call(lambda event, context: 1, middleware=[layer])
    assert caught.value.code == "answered"


def test_plain_middleware_may_pass_an_asynchronous_handler_on():
    def layer(payload, response, context, call_next):
        return call_next(payload.replace(b"tea", b"coffee"), response, context)

    assert Call(coroutine, middleware=[layer]).result == b'{"item":"coffee"}'


def test_plain_middleware_that_forgets_to_return_is_told_so():
    def forgets(payload, response, context, call_next):
        pass

    with pytest.raises(TypeError, match=r"middleware .*forgets returned None: return call_next\(...\)"):
        Call(coroutine, middleware=[forgets])


def test_asynchronous_middleware_does_not_fit_a_blocking_handler():
    async def layer(payload, response, context, call_next): ...

    with pytest.raises(ConfigurationError, match=r"middleware .*layer is async def, but handler .*generator is not"):
        compile_handler(generator, [layer])


class Layer:
    def __call__(self, payload, response, context, call_next):
        call_next(payload, response, context)


@pytest.mark.parametrize("layer", [None, "layer", Layer])
def test_middleware_that_cannot_be_called_is_refused(layer):
    with pytest.raises(ConfigurationError, match="middleware is a function"):
        compile_handler(generator, [layer])


def test_middleware_may_be_an_object():
    assert Call(lambda event, context: 1, middleware=[Layer()]).result == b"1"


def test_iterators_are_no_generators():
    """A result is JSON; only what a generator function returns is streamed."""
    with pytest.raises(MarshalError):
        Call(lambda event, context: iter([b"one"]))


def test_annotations_of_a_generator_are_not_those_of_a_result():
    async def handler(event) -> AsyncIterator[bytes]:
        yield b"one"
        yield b"two"

    assert Call(handler).sink.sent == STREAM
