"""The answer to one invocation, as a handler writes it, and the rules of what may follow what.

A response is in one of five states:

    OPEN        nothing was said yet
    PRELUDE     an HTTP head was given; it goes out with the first bytes of the body
    STREAMING   bytes of the body are on their way
    FINISHED    the answer is complete; the handler may go on working
    EXPIRED     the invocation is over: the response can write nowhere

`_STEPS` is the table of legal steps; everything else is a `ResponseError`, which fails the step and nothing more. Bytes go
to a `Sink`: a driver of the Runtime API, or a test's. The same methods serve `def` and `async def` handlers: a step takes
effect when it is called, and what it returns need only be awaited by `async def` handlers, to wait until the platform has
taken the bytes.
"""

from __future__ import annotations

from types import GenericAlias

from polylambda.errors import ResponseError
from polylambda.rapi import headers as names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping
    from typing import Any, Generic, Protocol, TypeVar

    from polylambda.report import ErrorReport

    Out = TypeVar("Out")

    class Sink(Protocol):
        """Where a response goes: one invocation's place on a connection, or a test's memory.

        A call takes effect when it is made; what it returns is only there to wait for.
        """

        def answer(self, body: bytes, content_type: str) -> Awaitable[None]:
            """Send a whole answer at once."""
            ...

        def start(self, content_type: str) -> None:
            """Begin a stream."""
            ...

        def send(self, data: bytes) -> Awaitable[None]:
            """Send a piece of the stream."""
            ...

        def end(self, report: ErrorReport | None) -> Awaitable[None]:
            """End the stream, with the error that cut it short if there is one."""
            ...

    class _Subscriptable(Generic[Out]):
        pass
else:

    class _Subscriptable:
        # What typing.Generic gives, without the import of typing.
        __slots__ = ()
        __class_getitem__ = classmethod(GenericAlias)


OPEN = "open"
PRELUDE = "prelude"
STREAMING = "streaming"
FINISHED = "finished"
EXPIRED = "expired"

_STEPS: dict[tuple[str, str], str] = {
    (OPEN, "start_http"): PRELUDE,
    (OPEN, "write"): STREAMING,
    (PRELUDE, "write"): STREAMING,
    (STREAMING, "write"): STREAMING,
    (OPEN, "finish"): FINISHED,
    (PRELUDE, "finish"): FINISHED,
    (STREAMING, "finish"): FINISHED,
}


class _Done:
    """An awaitable that is done."""

    __slots__ = ()

    def __await__(self) -> Generator[Any, None, None]:
        return iter(())  # pyright: ignore[reportReturnType] # an empty generator, at the price of an iterator


DONE = _Done()


class ResponseStream:
    """The raw response of one invocation: bytes, whole or piece by piece.

    `write` streams; `finish` with data and without an earlier `write` sends a buffered answer. Ending the handler without
    `finish` after a `write` ends the stream. Streamed responses:
    https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html#runtimes-custom-response-streaming.

    Attributes:
        state: where the response stands, one of this module's constants.
    """

    __slots__ = ("_body", "_content_type", "_prelude", "_sink", "state")

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._prelude = b""
        self._body: bytes | None = None
        self._content_type = names.OCTET_STREAM
        self.state = OPEN

    @property
    def content_type(self) -> str:
        """Media type of the response, `application/octet-stream` unless it is set before the first byte.

        Raises:
            ValueError: when it is set to what no header can carry.
        """
        return self._content_type

    @content_type.setter
    def content_type(self, content_type: str) -> None:
        if not (content_type.isascii() and content_type.isprintable()):
            raise ValueError(
                f"a content type is printable ASCII, such as 'text/plain; charset=utf-8': {content_type!r}"
            )
        self._content_type = content_type

    def start_http(
        self,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        cookies: Iterable[str] | None = None,
        *,
        multi_value_headers: Mapping[str, Iterable[str]] | None = None,
    ) -> None:
        """Give the head of an HTTP response, for function URLs and API Gateway; it goes out with the first bytes.

        `write(b"")` sends it at once. A response with a head is always streamed.

        Args:
            status: HTTP status code.
            headers: a value for each header's name.
            cookies: whole `Set-Cookie` values.
            multi_value_headers: several values a header; API Gateway prefers them to `headers`.

        Raises:
            ResponseError: the head was given before, a byte of the body was written, or the response is finished.
            TypeError, ValueError: a value cannot be written as JSON; nothing was sent.
        """
        self._check("start_http")
        head: dict[str, Any] = {"statusCode": status}
        if headers:
            head["headers"] = dict(headers)
        if multi_value_headers:
            head["multiValueHeaders"] = {name: list(values) for name, values in multi_value_headers.items()}
        if cookies:
            head["cookies"] = list(cookies)
        from json import dumps

        self._prelude = dumps(head, ensure_ascii=False).encode() + names.PRELUDE_END
        self._content_type = names.HTTP_INTEGRATION
        self.state = PRELUDE

    def write(self, data: bytes | str) -> Awaitable[None]:
        """Send a piece of the response; text goes out as UTF-8.

        Await it in `async def` handlers: it waits while the caller reads slower than the handler writes. In `def` handlers
        it waits before it returns.

        Raises:
            ResponseError: the response is finished, or its invocation is over.
            TypeError: `data` is neither bytes nor text.
        """
        chunk = _bytes(data)
        if self.state is not STREAMING:
            following = self._check("write")
            self._sink.start(self._content_type)
            self.state = following  # not before: what could not begin can still be answered with an error
            chunk = self._prelude + chunk
        return self._sink.send(chunk) if chunk else DONE

    def finish(self, data: bytes | str = b"") -> Awaitable[None]:
        """End the response, with a last piece if there is one; the handler may go on working afterwards.

        Raises:
            ResponseError: the response is finished, or its invocation is over.
            TypeError: `data` is neither bytes nor text.
        """
        chunk = _bytes(data)
        following = self._check("finish")
        if self.state is OPEN:
            self.state = following
            return self._sink.answer(chunk, self._content_type)
        if self.state is PRELUDE:
            self._sink.start(self._content_type)
            chunk = self._prelude + chunk
        self.state = following
        if chunk:
            self._sink.send(chunk)  # bytes go out in the order of calls: the end is all there is to wait for
        return self._sink.end(None)

    @property
    def body(self) -> bytes | None:
        """The handler's buffered result, on its way to the caller but not sent; None when there is none.

        For middleware, which may put another in its place.
        """
        return self._body

    @body.setter
    def body(self, body: bytes | str) -> None:
        if self._body is None:
            raise ResponseError(
                "unanswered", "there is no buffered result to replace: the handler streams or has not ended"
            )
        self._body = _bytes(body)

    # For the runtime

    def give(self, body: bytes, content_type: str) -> None:
        """Keep a handler's result, to be sent when the handler and its middleware have ended."""
        self.state = FINISHED if self.state is OPEN else self._check("finish")
        self._body = body
        self._content_type = content_type

    def take_back(self) -> None:
        """Forget a result that was kept, because something failed after it."""
        if self._body is not None:
            self._body = None
            self.state = OPEN

    def abort(self, report: ErrorReport) -> Awaitable[None]:
        """End a stream with the error that cut it short."""
        self.state = FINISHED
        return self._sink.end(report)

    def expire(self) -> None:
        """Refuse everything from now on: the invocation is over."""
        self.state = EXPIRED

    def _check(self, step: str) -> str:
        """The state after `step`, or the error that says why it may not be."""
        state = _STEPS.get((self.state, step))
        if state is None:
            raise _illegal(self.state, step)
        return state

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.state}>"


class ResponseWriter(_Subscriptable["Out"] if TYPE_CHECKING else _Subscriptable):
    """The typed response of one invocation: write it once, then go on working in the background.

    `ResponseWriter[Greeting]` takes a `Greeting`, encoded as a returned one would be.
    """

    __slots__ = ("_encode", "_stream")

    def __init__(self, stream: ResponseStream, encode: Callable[[Any], tuple[bytes, str]]) -> None:
        self._stream = stream
        self._encode = encode

    def write(self, value: Out) -> Awaitable[None]:
        """Answer the caller with `value`, now.

        Await it in `async def` handlers: it waits until the platform has taken the answer.

        Raises:
            ResponseError: the invocation was answered before, or is over.
            MarshalError: `value` cannot be written as JSON; nothing was sent.
        """
        stream = self._stream
        if stream.state != OPEN:
            raise _illegal(stream.state, "answer")
        body, content_type = self._encode(value)
        stream.content_type = content_type
        return stream.finish(body)

    def __repr__(self) -> str:
        return f"<ResponseWriter {self._stream.state}>"


def _bytes(data: object) -> bytes:
    if isinstance(data, bytes):
        return data
    if isinstance(data, str):
        return data.encode()
    if isinstance(data, (bytearray, memoryview)):
        return bytes(data)  # pyright: ignore[reportUnknownArgumentType] # a memoryview of whatever
    raise TypeError(f"a response is made of bytes or str, not {type(data).__name__}: encode it first")


def _illegal(state: str, step: str) -> ResponseError:
    if state == EXPIRED:
        return ResponseError("expired", f"{step}() after the invocation was over: nothing was sent")
    if step == "answer" or (step == "finish" and state == FINISHED):
        return ResponseError("answered", "the invocation was answered before: an answer can be written once")
    if state == PRELUDE:
        return ResponseError("prelude_repeated", "start_http() was called before: a response has one head")
    if step == "start_http" and state == STREAMING:
        return ResponseError("prelude_late", "start_http() after the body began: call it before the first write()")
    return ResponseError("finished", f"{step}() after finish(): the response is complete")
