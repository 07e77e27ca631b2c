from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Generator
from typing import Any

import pytest

from polylambda import LambdaContext, LambdaManagedRuntime, LambdaRuntime, asgi
from polylambda.asgi.lifespan import LifespanFailed
from polylambda.testing import HandlerClient
from tests import asgi_events as sources

STARTED = {"type": "lifespan.startup.complete"}
ENDED = {"type": "lifespan.shutdown.complete"}


class Application:
    """Keeps a log of its life, and answers with the names in its state."""

    def __init__(self, started: dict[str, Any] = STARTED, ended: dict[str, Any] = ENDED) -> None:
        self.log: list[str] = []
        self.tasks: set[Any] = set()
        self._started = started
        self._ended = ended

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            self.tasks.add(asyncio.current_task())
            self.log.append((await receive())["type"])
            scope["state"]["pool"] = "app"
            await send(self._started)
            self.log.append((await receive())["type"])
            self.tasks.add(asyncio.current_task())
            await send(self._ended)
            return
        self.log.append("request")
        names = ",".join(f"{name}={value}" for name, value in sorted(scope["state"].items()))
        scope["state"]["request"] = "own"
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": names.encode()})


def test_one_lifespan_around_all_requests():
    app = Application()
    with HandlerClient(asgi.handler(app)) as client:
        assert client.invoke(sources.url()).http.text == "pool=app"
        assert client.invoke(sources.url()).http.text == "pool=app"  # and not what the first request left
    assert app.log == ["lifespan.startup", "request", "request", "lifespan.shutdown"]
    assert len(app.tasks) == 1


def test_on_a_running_loop():
    app = Application()

    async def main() -> str:
        async with HandlerClient(asgi.handler(app)) as client:
            return (await client.invoke_async(sources.url())).http.text

    assert asyncio.run(main()) == "pool=app"
    assert app.log[-1] == "lifespan.shutdown"


@pytest.mark.parametrize("kind", [LambdaRuntime, LambdaManagedRuntime])
def test_inside_the_runtime_s_own(kind: Any):
    app = Application()

    @contextlib.asynccontextmanager
    async def lifespan() -> AsyncGenerator[dict[str, str]]:
        app.log.append("begin")
        yield {"table": "runtime", "pool": "runtime"}
        app.log.append("end")

    with HandlerClient(kind(asgi.handler(app), lifespan=lifespan)) as client:
        assert client.invoke(sources.url()).http.text == "pool=app,table=runtime"
    assert app.log == ["begin", "lifespan.startup", "request", "lifespan.shutdown", "end"]


def test_the_runtime_s_state_stays_what_it_is():
    @contextlib.contextmanager
    def lifespan() -> Generator[object]:
        yield 7

    states: list[Any] = []

    def note(payload: bytes, response: Any, context: LambdaContext, call_next: Any) -> Any:
        states.append(context.state)
        return call_next(payload, response, context)

    with HandlerClient(asgi.handler(Application()), lifespan=lifespan, middleware=[note]) as client:
        assert client.invoke(sources.url()).http.text == "pool=app"
    with HandlerClient(asgi.handler(Application()), middleware=[note]) as client:
        client.invoke(sources.url())
    assert states == [7, {"pool": "app"}]


def test_when_the_application_cannot_start_the_runtime_s_own_is_left():
    log: list[str] = []

    @contextlib.contextmanager
    def lifespan() -> Generator[None]:
        log.append("begin")
        yield
        log.append("end")

    app = Application({"type": "lifespan.startup.failed", "message": "no database"})
    with pytest.raises(LifespanFailed, match="no database"), HandlerClient(asgi.handler(app), lifespan=lifespan):
        pass
    assert log == ["begin", "end"]


def test_shutdown_that_failed():
    app = Application(ended={"type": "lifespan.shutdown.failed", "message": "not closed"})
    client = HandlerClient(asgi.handler(app))
    client.__enter__()
    with pytest.raises(LifespanFailed, match="not closed"):
        client.__exit__(None, None, None)


async def _no_lifespan(scope: Any, receive: Any, send: Any) -> None:
    assert scope["type"] == "http", "only HTTP"
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": b"ok"})


@pytest.mark.parametrize("lifespan", ["auto", "off"])
def test_applications_without_a_lifespan(lifespan: Any):
    with HandlerClient(asgi.handler(_no_lifespan, lifespan=lifespan)) as client:
        assert client.invoke(sources.url()).http.text == "ok"


def test_a_lifespan_that_is_required():
    with pytest.raises(AssertionError, match="only HTTP"), HandlerClient(asgi.handler(_no_lifespan, lifespan="on")):
        pass


def test_a_lifespan_that_is_not_wanted():
    app = Application()
    with HandlerClient(asgi.handler(app, lifespan="off")) as client:
        assert client.invoke(sources.url()).http.text == ""
    assert app.log == ["request"]


async def _silent_lifespan(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        await receive()
        return
    await _no_lifespan(scope, receive, send)


def test_a_lifespan_that_ends_without_a_word():
    with HandlerClient(asgi.handler(_silent_lifespan)) as client:
        assert client.invoke(sources.url()).http.text == "ok"


def test_a_lifespan_that_ends_without_a_word_and_is_required():
    client = HandlerClient(asgi.handler(_silent_lifespan, lifespan="on"))
    with pytest.raises(LifespanFailed, match=r'ended without lifespan\.startup\.complete.* lifespan="auto" or "off"'):
        client.__enter__()


@pytest.mark.parametrize("when", ["startup", "shutdown"])
def test_exceptions_after_the_start(when: str):
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send(STARTED)
        if when == "shutdown":
            await receive()
        raise KeyError(when)

    client = HandlerClient(asgi.handler(app))
    with pytest.raises(KeyError, match=when):  # noqa: PT012 # whichever of the two comes first
        client.__enter__()
        client.__exit__(None, None, None)


def test_what_is_no_message_of_a_lifespan():
    app = Application({"type": "http.response.start"})
    with pytest.raises(RuntimeError, match=r"sent 'http.response.start' in its lifespan"):
        HandlerClient(asgi.handler(app, lifespan="on")).__enter__()
