"""ASGI applications in runtimes: over the Runtime API, in processes of their own, and behind the local server."""

from __future__ import annotations

import asyncio
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from polylambda import asgi
from polylambda.testing import RuntimeClient
from tests import asgi_events as sources
from tests.environment import Environment, eventually
from tests.integration.managed import managed, managed_environment
from tests.integration.served_function import served

START = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]}


def more(body: bytes) -> dict[str, Any]:
    return {"type": "http.response.body", "body": body, "more_body": True}


LAST = {"type": "http.response.body", "body": b""}


def test_pieces_reach_the_caller_before_the_next_one_is_sent():
    go_on = threading.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        await send(more(b"first"))
        await asyncio.to_thread(go_on.wait)
        await send(more(b"second"))
        await send(LAST)

    with (
        Environment() as environment,
        environment.running(asgi.handler(app, lifespan="off", streaming=True)),
        environment.stream(json.dumps(sources.url()).encode()) as stream,
    ):
        first = next(stream)
        go_on.set()
        rest = b"".join(stream)
    assert (first.endswith(b"\0first"), rest) == (True, b"second")


def test_a_stream_that_fails_ends_with_the_error():
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        await send(more(b"half"))
        raise KeyError("mine")

    with Environment() as environment, environment.running(asgi.handler(app, lifespan="off", streaming=True)):
        answer = environment.invoke(json.dumps(sources.url()).encode())
        again = environment.invoke(json.dumps(sources.url()).encode())
    assert answer.body.endswith(b"\0half")
    assert answer.error_type == again.error_type == "Function.KeyError"
    assert json.loads(answer.error_body)["errorType"] == "KeyError"


def test_a_caller_that_reads_slowly_holds_the_application_back():
    sent: list[int] = []
    piece = b"x" * 65536

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        for number in range(1000):
            await send(more(piece))
            sent.append(number)
        await send(LAST)

    with (
        Environment() as environment,
        environment.running(asgi.handler(app, lifespan="off", streaming=True)),
        environment.stream(json.dumps(sources.url()).encode()) as stream,
    ):
        next(stream)
        held = len(sent)  # as many as fit into the buffers between here and there
        size = sum(map(len, stream))
    assert held < 500
    assert len(sent) == 1000
    assert size > 900 * len(piece)


@pytest.mark.parametrize("streaming", [False, True], ids=["buffered", "streamed"])
def test_eight_slots_one_application(streaming: bool):
    lives: list[str] = []
    inside = 0
    all_inside: asyncio.Event | None = None

    async def app(scope: Any, receive: Any, send: Any) -> None:
        nonlocal inside, all_inside
        if scope["type"] == "lifespan":
            lives.append((await receive())["type"])
            all_inside = asyncio.Event()
            await send({"type": "lifespan.startup.complete"})
            lives.append((await receive())["type"])
            await send({"type": "lifespan.shutdown.complete"})
            return
        assert all_inside is not None
        body = (await receive())["body"]
        inside += 1
        if inside == 8:
            all_inside.set()
        await all_inside.wait()
        await send(START)
        for character in scope["path"].encode() + b" " + body + b" " + scope["aws.context"].aws_request_id.encode():
            await send(more(bytes([character])))
            await asyncio.sleep(0)
        await send(LAST)

    events = [sources.url(f"/{number}", "POST", body=b"%d" % number) for number in range(8)]
    with RuntimeClient(asgi.handler(app, streaming=streaming), concurrency=8) as client, ThreadPoolExecutor(8) as pool:
        answers = [result.http.text.split() for result in pool.map(client.invoke, events)]
    assert [answer[:2] for answer in answers] == [[f"/{number}", str(number)] for number in range(8)]
    assert len({answer[2] for answer in answers}) == 8
    assert lives == ["lifespan.startup", "lifespan.shutdown"]


APP = """
import asyncio, os
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route

from polylambda import asgi

@asynccontextmanager
async def lifespan(app):
    print("begin", flush=True)
    yield {"go_on": asyncio.Event()}
    print("end", flush=True)

async def name(request):
    return PlainTextResponse(f"{os.getpid()} {request.path_params['name']}")

async def events(request):
    async def both():
        yield "data: first\\n\\n"
        await request.state.go_on.wait()
        yield "data: second\\n\\n"
    return StreamingResponse(both(), media_type="text/event-stream")

async def go_on(request):
    request.state.go_on.set()
    return PlainTextResponse("gone on")

app = Starlette(
    lifespan=lifespan,
    routes=[Route("/name/{name}", name), Route("/events", events), Route("/go-on", go_on)],
)
handler = asgi.handler(app, streaming=True)
buffered = asgi.handler(app)
"""


@pytest.mark.parametrize("mode", ["task", "hybrid", "process"])
def test_a_lifespan_in_each_process(tmp_path: Path, mode: str):
    source = APP.replace("handler = asgi", "streamed = asgi").replace("buffered =", "handler =")
    processes = {"task": 1, "hybrid": 2, "process": 4}[mode]
    with managed_environment(4) as environment:
        with managed(environment, tmp_path, source, AWS_LAMBDA_CONCURRENCY_MODE=mode) as program:
            eventually(lambda: program.log.count("begin") == processes)
            begun = [environment.begin(json.dumps(sources.url(f"/name/{number}")).encode()) for number in range(20)]
            answers = [json.loads(each.result(40).body) for each in begun]
            program.send(15)
            assert program.wait() == 0
        lives = [line for line in program.log.splitlines() if line in ("begin", "end")]
    assert [answer["body"].split()[1] for answer in answers] == [str(number) for number in range(20)]
    assert sorted(lives) == ["begin"] * processes + ["end"] * processes


def test_server_sent_events_in_the_browser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "app.py").write_text(APP)
    monkeypatch.chdir(tmp_path)
    with served("app.handler", concurrency=8) as function:
        connection = function.connect()
        connection.request("GET", "/events")
        response = connection.getresponse()
        first = response.read1()
        # The application sends the second event when this request has come, which was made after the first was read.
        assert function.request("GET", "/go-on").body == b"gone on"
        rest = response.read()
        connection.close()
        assert function.request("GET", "/name/caf%C3%A9").body.split()[1].decode() == "caf\u00e9"
        missing = function.request("GET", "/nowhere")
    assert (response.status, response.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    assert (first, rest) == (b"data: first\n\n", b"data: second\n\n")
    assert (missing.status, missing.body) == (404, b"Not Found")


def test_an_application_that_cannot_start_is_an_error_of_the_init(tmp_path: Path):
    source = """
from polylambda import asgi
async def app(scope, receive, send):
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "no database"})
handler = asgi.handler(app)
"""
    with Environment() as environment, environment.program(tmp_path, source) as program:
        assert "LifespanFailed: no database" in program.expect("no database")
        assert program.process.wait(40) == 1
