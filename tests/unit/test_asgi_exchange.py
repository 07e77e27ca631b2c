"""What an application hears and may say, with an application for each rule."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from polylambda import ResponseStream, asgi
from polylambda.errors import ConnectionLost
from polylambda.response import DONE
from polylambda.testing import HandlerClient, Result, make_context
from tests import asgi_events as sources

START = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]}

both = pytest.mark.parametrize("streaming", [False, True], ids=["buffered", "streamed"])


def more(body: bytes) -> dict[str, Any]:
    return {"type": "http.response.body", "body": body, "more_body": True}


def last(body: bytes = b"") -> dict[str, Any]:
    return {"type": "http.response.body", "body": body}


def invoke(app: Any, event: Any = None, *, streaming: bool = False, context: Any = None) -> Result:
    client = HandlerClient(asgi.handler(app, lifespan="off", streaming=streaming))
    with client:
        return client.invoke(sources.url() if event is None else event, context=context)


def saying(*messages: dict[str, Any], then: BaseException | None = None) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        for message in messages:
            await send(message)
        if then is not None:
            raise then

    return app


class Caller:
    """The sink of a response, which the test reads as it comes and may close."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.lost = False
        self.ended = False
        self.room: Awaitable[None] = DONE
        self.news = asyncio.Event()

    def answer(self, body: bytes, content_type: str) -> Awaitable[None]:
        self._take(body)
        self.ended = True
        return DONE

    def start(self, content_type: str) -> None:
        pass

    def send(self, data: bytes) -> Awaitable[None]:
        self._take(data)
        return self.room

    def end(self, report: object) -> Awaitable[None]:
        self._take(b"")
        self.ended = True
        return DONE

    def _take(self, data: bytes) -> None:
        if self.lost:
            raise ConnectionLost("nobody is there")
        self.pieces.append(data)
        self.news.set()

    async def piece(self) -> bytes:
        """Return what came, which begins with the head."""
        await self.news.wait()
        self.news.clear()
        return b"".join(self.pieces).partition(b"\0" * 8)[2]


def run(app: Any, caller: Caller, *, streaming: bool = True, context: Any = None) -> Awaitable[None]:
    handler = asgi.handler(app, lifespan="off", streaming=streaming)
    return handler.handle(sources.url(), ResponseStream(caller), context or make_context())


def test_the_body_comes_in_one_message_then_nothing():
    heard: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        heard.append(await receive())
        await send(START)
        await send(last())
        heard.append(await receive())
        heard.append(await receive())

    invoke(app, sources.url("/", "POST", body=b"\x00\xff"))
    assert heard == [
        {"type": "http.request", "body": b"\x00\xff", "more_body": False},
        {"type": "http.disconnect"},
        {"type": "http.disconnect"},
    ]


@both
def test_answer(streaming: bool):
    result = invoke(saying(START, more(b"a"), more(b""), more(b"b"), last(b"c")), streaming=streaming)
    assert (result.http.status, result.http.body) == (200, b"abc")
    assert result.streamed is streaming
    assert result.chunks == ([b"a", b"b", b"c"] if streaming else result.chunks)


@both
@pytest.mark.parametrize("body", [bytearray(b"abc"), memoryview(b"abc")], ids=["bytearray", "memoryview"])
def test_bodies_that_are_not_quite_bytes(streaming: bool, body: Any):
    assert invoke(saying(START, last(body)), streaming=streaming).http.body == b"abc"


@both
@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
def test_answers_without_a_body(streaming: bool, method: str, status: int):
    lines = [(b"content-length", b"3"), (b"etag", b"x")]
    app = saying({**START, "status": status, "headers": lines}, more(b"a"), last(b"bc"))
    result = invoke(app, sources.url("/", method), streaming=streaming)
    assert (result.http.status, result.http.body, result.http.headers["etag"]) == (status, b"", "x")
    if streaming:
        assert result.chunks == []


@both
@pytest.mark.parametrize(
    ("messages", "told"),
    [
        ([last()], "'http.response.body' where 'http.response.start' was due"),
        ([START, START], "'http.response.start' where 'http.response.body' was due"),
        ([{"type": "websocket.accept"}], "'websocket.accept' where"),
        ([START], "ended without a complete answer"),
        ([], "ended without a complete answer"),
        ([{**START, "headers": [(b"x", b"\n")]}], "control character"),
        ([START, {**last(), "body": "text"}], "memoryview"),
    ],
)
def test_what_an_application_does_wrong_is_the_error_of_the_invocation(streaming: bool, messages: Any, told: str):
    result = invoke(saying(*messages), streaming=streaming)
    assert not result.answered
    assert result.error is not None
    assert told in result.error["errorMessage"]


@both
def test_a_message_too_many_does_not_take_the_answer_back(streaming: bool):
    result = invoke(saying(START, last(b"a"), last(b"b")), streaming=streaming)
    assert (result.answered, result.http.body) == (True, b"a")
    assert "after its answer was complete" in str(result.exception)


@both
@pytest.mark.parametrize("messages", [[], [START]], ids=["nothing", "head"])
def test_an_exception_before_the_first_byte_is_the_error_of_the_invocation(streaming: bool, messages: Any):
    result = invoke(saying(*messages, then=KeyError("mine")), streaming=streaming)
    assert (result.answered, result.body) == (False, b"")
    assert result.error is not None
    assert result.error["errorType"] == "KeyError"


def test_the_head_does_not_leave_after_the_end():
    """What the loop was to do meanwhile is given up."""

    async def main() -> list[Any]:
        complaints: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        caller = Caller()
        response = ResponseStream(caller)
        handler = asgi.handler(saying(START, then=KeyError("mine")), lifespan="off", streaming=True)
        with pytest.raises(KeyError):
            await handler.handle(sources.url(), response, make_context())
        response.expire()
        await asyncio.sleep(0)
        return [*complaints, *caller.pieces]

    assert asyncio.run(main()) == []


def test_an_exception_in_a_buffered_answer_is_the_error_of_the_invocation():
    result = invoke(saying(START, more(b"half"), then=KeyError("mine")))
    assert (result.answered, result.body) == (False, b"")


def test_an_exception_after_the_first_byte_cuts_the_stream_short():
    result = invoke(saying(START, more(b"half"), then=KeyError("mine")), streaming=True)
    assert (result.answered, result.body, result.streamed) == (False, b"half", True)
    assert result.error is not None
    assert result.error["errorType"] == "KeyError"


def test_a_stream_that_is_not_ended_is_cut_short():
    result = invoke(saying(START, more(b"half")), streaming=True)
    assert (result.answered, result.body) == (False, b"half")
    assert "without a complete answer" in str(result.exception)


@both
def test_an_error_page_is_sent_though_its_framework_raises_as_well(streaming: bool):
    result = invoke(saying({**START, "status": 500}, last(b"sorry"), then=KeyError("mine")), streaming=streaming)
    assert (result.answered, result.http.status, result.http.text) == (True, 500, "sorry")
    assert isinstance(result.exception, KeyError)


@both
def test_the_answer_leaves_before_background_work_that_waits(streaming: bool):
    async def main() -> None:
        caller = Caller()

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send(START)
            await send(last(b"a"))
            await caller.news.wait()
            assert caller.ended

        await run(app, caller, streaming=streaming)

    asyncio.run(main())


def test_an_answer_at_the_end_is_left_to_the_runtime():
    """Which sends it with its next poll, and lets middleware see it before."""
    seen: list[Any] = []

    async def look(payload: bytes, response: ResponseStream, context: Any, call_next: Any) -> None:
        await call_next(payload, response, context)
        seen.append(response.body)

    client = HandlerClient(asgi.handler(saying(START, last(b"a")), lifespan="off"), middleware=[look])
    assert client.invoke(sources.url()).http.text == "a"
    assert b'"body":"a"' in seen[0]


def test_pieces_leave_as_they_are_sent():
    async def main() -> list[bytes]:
        caller = Caller()
        go_on = asyncio.Event()

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send(START)
            await send(more(b"one"))
            await go_on.wait()
            await send(last(b"two"))

        running = asyncio.ensure_future(run(app, caller))
        seen = [await caller.piece()]
        go_on.set()
        await running
        return [*seen, await caller.piece()]

    assert asyncio.run(main()) == [b"one", b"onetwo"]


def test_the_head_leaves_when_the_application_waits():
    async def main() -> bytes:
        caller = Caller()
        go_on = asyncio.Event()

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send(START)
            await go_on.wait()
            await send(last(b"body"))

        running = asyncio.ensure_future(run(app, caller))
        await caller.news.wait()
        head = b"".join(caller.pieces)
        go_on.set()
        await running
        return head

    head, end, body = asyncio.run(main()).partition(b"\0" * 8)
    assert (b"text/plain" in head, end, body) == (True, b"\0" * 8, b"")


def test_the_head_leaves_with_the_first_piece_when_there_is_one():
    async def main() -> list[bytes]:
        caller = Caller()
        await run(saying(START, last(b"body")), caller)
        return caller.pieces

    pieces = [piece for piece in asyncio.run(main()) if piece]
    assert [piece.endswith(b"\0body") for piece in pieces] == [True]


def test_send_waits_while_the_caller_lags_behind():
    async def main() -> list[str]:
        caller = Caller()
        log: list[str] = []
        room = asyncio.get_running_loop().create_future()
        caller.room = room

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send(START)
            await send(more(b"one"))
            log.append("went on")
            await send(last())

        running = asyncio.ensure_future(run(app, caller))
        await caller.piece()
        log.append("read")
        room.set_result(None)
        await running
        return log

    assert asyncio.run(main()) == ["read", "went on"]


Ending = Callable[[Any, Any], Awaitable[None]]


async def _ignores(receive: Any, send: Any) -> None:
    try:
        await send(more(b"two"))
    except OSError:
        pass
    assert await receive() == {"type": "http.disconnect"}


async def _passes_on(receive: Any, send: Any) -> None:
    await send(more(b"two"))


async def _wraps(receive: Any, send: Any) -> None:
    try:
        await send(more(b"two"))
    except OSError as error:
        raise KeyError("disconnected") from error


@pytest.mark.parametrize("ending", [_ignores, _passes_on, _wraps])
def test_when_the_platform_takes_no_more_the_application_hears_of_it(ending: Ending):
    async def main() -> None:
        caller = Caller()

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await receive()
            waiting = asyncio.create_task(receive())
            await send(START)
            await send(more(b"one"))
            caller.lost = True
            await ending(receive, send)
            assert await waiting == {"type": "http.disconnect"}

        await run(app, caller)

    # The runtime then says that the stream was lost, and does not blame the application.
    with pytest.raises(ConnectionLost):
        asyncio.run(main())


def test_when_the_platform_takes_no_head_the_application_hears_of_it():
    async def main() -> None:
        caller = Caller()
        caller.lost = True

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await receive()
            await send(START)
            assert await receive() == {"type": "http.disconnect"}
            with pytest.raises(OSError, match="cannot be sent"):
                await send(last())

        await run(app, caller)

    with pytest.raises(ConnectionLost):
        asyncio.run(main())


@both
def test_the_deadline_disconnects_who_listens(streaming: bool):
    heard: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        heard.append(await receive())
        await send(START)
        await send(last(b"in time"))

    context = make_context()
    context.deadline = time.time() + 0.2  # which is so near that it is as good as there
    assert invoke(app, streaming=streaming, context=context).http.text == "in time"
    assert heard == [{"type": "http.disconnect"}]


@both
def test_who_listens_for_a_disconnect_hears_of_the_end(streaming: bool):
    heard: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        listening = asyncio.create_task(receive())
        await asyncio.sleep(0)  # it waits
        await send(START)
        await send(last())
        heard.append(await listening)

    invoke(app, streaming=streaming)
    assert heard == [{"type": "http.disconnect"}]


@pytest.mark.parametrize("source", ["http_api", "http_api_1", "alb", "alb_multi"])
def test_who_cannot_take_a_stream_gets_a_whole_answer(source: str):
    result = invoke(saying(START, more(b"a"), last(b"b")), sources.SOURCES[source](), streaming=True)
    assert (result.streamed, result.http.body) == (False, b"ab")


@pytest.mark.parametrize("source", ["url", "rest_api"])
def test_cookies_of_a_stream(source: str):
    start = {**START, "headers": [(b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")]}
    result = invoke(saying(start, last(b"x")), sources.SOURCES[source](), streaming=True)
    assert (result.streamed, result.http.cookies) == (True, ["a=1", "b=2"])
