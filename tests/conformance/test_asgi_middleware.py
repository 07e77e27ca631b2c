"""Starlette's middleware and files, which use more of ASGI than routes do."""

from __future__ import annotations

import asyncio
import gzip
import threading
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from polylambda import asgi
from polylambda.testing import HandlerClient
from polylambda.testing.result import HttpResponse
from tests import asgi_events as sources


class Mark(BaseHTTPMiddleware):
    async def dispatch(self, request: Request, call_next: Any) -> Response:
        response = await call_next(request)
        response.headers["x-mark"] = "1"
        return response


class Site:
    def __init__(self, folder: Path) -> None:
        (folder / "static.txt").write_text("0123456789" * 500)
        self.done: list[str] = []
        self.app = Starlette(
            routes=[
                Route("/stream", self.stream),
                Route("/body", self.body, methods=["POST"]),
                Mount("/static", StaticFiles(directory=folder)),
            ],
            middleware=[Middleware(Mark), Middleware(GZipMiddleware), Middleware(CORSMiddleware, allow_origins=["*"])],
        )

    async def stream(self, request: Request) -> Response:
        async def pieces() -> AsyncGenerator[str]:
            for number in range(3):
                yield f"{number}\n" * 300
                await asyncio.sleep(0)

        async def work() -> None:
            await asyncio.sleep(0)
            self.done.append("work")

        return StreamingResponse(pieces(), media_type="text/plain", background=BackgroundTask(work))

    async def body(self, request: Request) -> Response:
        return JSONResponse({"size": len(await request.body()), "disconnected": await request.is_disconnected()})


@pytest.fixture(autouse=True)
def _no_threads() -> Iterator[None]:
    yield
    for thread in threading.enumerate():
        if thread.name.startswith("AnyIO worker"):  # where files were read: it was told to end, and nobody joins it
            thread.join(10)


@pytest.fixture(params=[False, True], ids=["buffered", "streamed"])
def get(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    site = Site(tmp_path)
    with HandlerClient(asgi.handler(site.app, streaming=request.param)) as client:

        def get(target: str, method: str = "GET", **rest: Any) -> HttpResponse:
            http = client.invoke(sources.url(target, method, **rest)).http
            assert http.headers["x-mark"] == "1"
            return http

        get.site = site
        yield get


def test_compressed_stream(get: Any):
    http = get("/stream", headers=[("accept-encoding", "gzip"), ("origin", "https://example.org")])
    assert http.headers["content-encoding"] == "gzip"
    assert http.headers["access-control-allow-origin"] == "*"
    assert gzip.decompress(http.body) == b"".join(b"%d\n" % number * 300 for number in range(3))
    assert get.site.done == ["work"]


def test_body_and_disconnect(get: Any):
    assert get("/body", "POST", body=b"abc").value == {"size": 3, "disconnected": False}


def test_files(get: Any):
    whole = get("/static/static.txt")
    assert (whole.status, len(whole.body)) == (200, 5000)
    part = get("/static/static.txt", headers=[("range", "bytes=2-4")])
    assert (part.status, part.body, part.headers["content-range"]) == (206, b"234", "bytes 2-4/5000")
    known = get("/static/static.txt", headers=[("if-none-match", whole.headers["etag"])])
    assert (known.status, known.body) == (304, b"")
    assert "content-type" not in known.headers
    head = get("/static/static.txt", "HEAD")
    assert (head.status, head.body, head.headers["etag"]) == (200, b"", whole.headers["etag"])


def test_preflight(get: Any):
    headers = [("origin", "https://example.org"), ("access-control-request-method", "GET")]
    assert get("/stream", "OPTIONS", headers=headers).headers["access-control-allow-origin"] == "*"
