"""Real applications of the frameworks behind `polylambda.asgi`, buffered and streamed: see `asgi_apps`."""

from __future__ import annotations

import asyncio
import importlib
import json
import threading
from collections.abc import Awaitable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from polylambda import ResponseStream, asgi
from polylambda.local.answers import Prelude
from polylambda.response import DONE
from polylambda.testing import HandlerClient, RuntimeClient, make_context
from polylambda.testing.result import HttpResponse
from tests import asgi_events as sources
from tests.conformance.asgi_apps import BLOB, FRAMEWORKS, PIECES, digest, stage


class Site:
    """An application, and requests to it."""

    def __init__(self, client: HandlerClient) -> None:
        self.client = client

    def __call__(self, method: str, target: str, **rest: Any) -> HttpResponse:
        return self.client.invoke(sources.url(target, method, **rest)).http


@pytest.fixture(params=["buffered", "streamed"])
def streaming(request: pytest.FixtureRequest) -> bool:
    return request.param == "streamed"


@pytest.fixture(params=FRAMEWORKS)
def app(request: pytest.FixtureRequest) -> Iterator[Any]:
    stage.reset()
    yield importlib.import_module(f"tests.conformance.asgi_apps.{request.param}_app").app
    for thread in threading.enumerate():
        # Those in which anyio and asgiref have called views: they were told to end, and nobody joins them.
        if thread.name.startswith("AnyIO worker") or thread.name.endswith("(join)"):
            thread.join(10)


@pytest.fixture
def site(app: Any, streaming: bool) -> Iterator[Site]:
    with HandlerClient(asgi.handler(app, streaming=streaming)) as client:
        yield Site(client)


def test_lifespan(app: Any):
    with HandlerClient(asgi.handler(app)) as client:
        assert Site(client)("GET", "/state").value == {"pool": "open"}
        assert stage.log in (["open"], [])  # Django has none
    assert stage.log in (["open", "closed"], [])


def test_json(site: Site):
    assert site("GET", "/json", query="name=Ada%20L").value == {"hello": "Ada L"}
    assert site("GET", "/json", query="name=Zo%C3%AB").value == {"hello": "Zo\u00eb"}
    body = json.dumps({"a": [1, "\u65e5"]}).encode()
    answer = site("POST", "/json", headers=[("content-type", "application/json")], body=body)
    assert (answer.status, answer.value) == (200, {"a": [1, "\u65e5"], "seen": True})
    assert answer.headers["content-type"].startswith("application/json")


def test_paths(site: Site):
    assert site("GET", "/items/caf%C3%A9/a%20b").value == {"item": "caf\u00e9/a b"}
    assert site("GET", "/nowhere").status == 404
    assert site("DELETE", "/json").status == 405


def test_form(site: Site):
    headers = [("content-type", "application/x-www-form-urlencoded")]
    assert site("POST", "/form", headers=headers, body=b"name=Zo%C3%AB&x=1").value == {"name": "Zo\u00eb"}


def test_upload(site: Site):
    body = (
        b'--edge\r\nContent-Disposition: form-data; name="file"; filename="blob.bin"\r\n'
        b"Content-Type: application/octet-stream\r\n\r\n" + BLOB + b"\r\n--edge--\r\n"
    )
    headers = [("content-type", "multipart/form-data; boundary=edge"), ("content-length", str(len(body)))]
    answer = site("POST", "/upload", headers=headers, body=body)
    assert answer.value == {"name": "blob.bin", "sha256": digest(BLOB)}


def test_download(site: Site):
    answer = site("GET", "/download")
    assert (answer.status, answer.body) == (200, BLOB)
    assert answer.headers["content-type"] == "application/octet-stream"


def test_head(site: Site):
    answer = site("HEAD", "/download")
    assert (answer.status in (200, 405), answer.body) == (True, b"")


def test_cookies(site: Site):
    answer = site("GET", "/cookies", headers=[("cookie", "z=0; a=sent")])
    assert answer.value == {"a": "sent"}
    assert [cookie.partition(";")[0] for cookie in answer.cookies] == ["a=1", "b=2"]


def test_redirect(site: Site):
    answer = site("GET", "/redirect")
    assert (answer.status, answer.headers["location"]) == (307, "/json")


def test_stream(site: Site, streaming: bool):
    result = site.client.invoke(sources.url("/stream"))
    assert result.http.body == b"".join(PIECES)
    assert result.streamed is streaming
    if streaming:
        assert result.chunks == PIECES


def test_exception(site: Site):
    answer = site("GET", "/fail")
    assert answer.status == 500
    assert b"mine" not in answer.body


def test_concurrent_requests_do_not_mix(app: Any, streaming: bool):
    async def main() -> list[Any]:
        async with HandlerClient(asgi.handler(app, streaming=streaming)) as client:
            events = [sources.url("/json", query=f"name={number}") for number in range(50)]
            return await asyncio.gather(*(client.invoke_async(event) for event in events))

    assert [result.http.value["hello"] for result in asyncio.run(main())] == [str(number) for number in range(50)]


class Reader:
    """The caller of one request: what has come, and a way to wait for it."""

    def __init__(self) -> None:
        self.sent = b""
        self.ended = asyncio.Event()
        self._news = asyncio.Condition()
        self._tasks: set[asyncio.Task[None]] = set()

    def answer(self, body: bytes, content_type: str) -> Awaitable[None]:
        self.ended.set()
        return self.send(body)

    def start(self, content_type: str) -> None:
        pass

    def send(self, data: bytes) -> Awaitable[None]:
        self.sent += data
        task = asyncio.ensure_future(self._tell())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return DONE

    def end(self, report: object) -> Awaitable[None]:
        if report is None:
            self.ended.set()
        return DONE

    async def _tell(self) -> None:
        async with self._news:
            self._news.notify_all()

    async def until(self, text: bytes) -> bytes:
        """Wait for `text`, and return the body that has come."""
        async with self._news:
            await self._news.wait_for(lambda: text in self.sent)
        found = Prelude().receive(self.sent)
        assert found is not None
        return found[1]


def test_server_sent_events_arrive_one_by_one(app: Any):
    """The application may not send the second event before the first was read."""

    async def main() -> list[bytes]:
        reader = Reader()
        handler = asgi.handler(app, streaming=True, lifespan="off")
        response = ResponseStream(reader)
        running = asyncio.create_task(handler.handle(sources.url("/events"), response, make_context()))
        seen = [await reader.until(b"first")]
        assert not stage.go_on.is_set()
        assert not reader.ended.is_set()
        stage.go_on.set()
        await running
        await reader.ended.wait()
        return [*seen, await reader.until(b"second")]

    assert asyncio.run(main()) == [b"data: first\n\n", b"data: first\n\ndata: second\n\n"]


@pytest.mark.parametrize("streaming", [False, True], ids=["buffered", "streamed"])
def test_background_work_goes_on_after_the_answer(app: Any, streaming: bool):
    async def main() -> list[str]:
        reader = Reader()
        handler = asgi.handler(app, streaming=streaming, lifespan="off")
        event = sources.url("/background", "POST")
        running = asyncio.create_task(handler.handle(event, ResponseStream(reader), make_context()))
        await reader.ended.wait()
        assert b"accepted" in reader.sent
        before = [*stage.log]
        stage.go_on.set()
        await running
        await stage.done.wait()  # Quart and Django do not wait for it
        return [*before, "answered", *stage.log]

    assert asyncio.run(main()) == ["answered", "done"]


@pytest.mark.parametrize("target", ["/api/json", "/json"], ids=["in the path", "taken away"])
def test_mounted_below_a_path(app: Any, target: str):
    with HandlerClient(asgi.handler(app, root_path="/api")) as client:
        assert client.invoke(sources.url(target, query="name=x")).http.value == {"hello": "x"}


@pytest.mark.parametrize("streaming", [False, True], ids=["buffered", "streamed"])
def test_in_eight_slots(app: Any, streaming: bool):
    """More requests than may be in the background at a time; Quart and Django answer in tasks of their own."""
    events = [sources.url("/json", query=f"name={number}") for number in range(40)]
    client = RuntimeClient(asgi.handler(app, streaming=streaming), concurrency=8)
    with client, ThreadPoolExecutor(8) as callers:
        answers = [result.http.value["hello"] for result in callers.map(client.invoke, events)]
        stage.go_on.set()
        assert client.invoke(sources.url("/background", "POST")).http.text == "accepted"
    assert answers == [str(number) for number in range(40)]
    assert stage.log in (["open", "done", "closed"], ["done"])
