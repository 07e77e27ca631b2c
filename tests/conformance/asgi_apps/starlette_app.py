from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.conformance.asgi_apps import BLOB, digest, pieces, stage


@asynccontextmanager
async def lifespan(_: Any) -> AsyncGenerator[dict[str, str]]:
    stage.log.append("open")
    yield {"pool": "open"}
    stage.log.append("closed")


async def state(request: Request) -> Response:
    return JSONResponse({"pool": request.state.pool})


async def json(request: Request) -> Response:
    if request.method == "POST":
        return JSONResponse({**await request.json(), "seen": True})
    return JSONResponse({"hello": request.query_params["name"]})


async def item(request: Request) -> Response:
    return JSONResponse({"item": request.path_params["name"]})


async def form(request: Request) -> Response:
    return JSONResponse({"name": (await request.form())["name"]})


async def upload(request: Request) -> Response:
    async with request.form() as fields:
        file: Any = fields["file"]
        return JSONResponse({"name": file.filename, "sha256": digest(await file.read())})


async def download(_: Request) -> Response:
    return Response(BLOB, media_type="application/octet-stream")


async def cookies(request: Request) -> Response:
    response = JSONResponse({"a": request.cookies["a"]})
    response.set_cookie("a", "1")
    response.set_cookie("b", "2")
    return response


async def redirect(_: Request) -> Response:
    return RedirectResponse("/json")


async def stream(_: Request) -> Response:
    return StreamingResponse(pieces(), media_type="text/plain")


async def events(_: Request) -> Response:
    return StreamingResponse(stage.events(), media_type="text/event-stream")


async def background(_: Request) -> Response:
    return PlainTextResponse("accepted", background=BackgroundTask(stage.work))


async def fail(_: Request) -> Response:
    raise KeyError("mine")


app = Starlette(
    lifespan=lifespan,
    routes=[
        Route("/state", state),
        Route("/json", json, methods=["GET", "POST"]),
        Route("/items/{name:path}", item),
        Route("/form", form, methods=["POST"]),
        Route("/upload", upload, methods=["POST"]),
        Route("/download", download),
        Route("/cookies", cookies),
        Route("/redirect", redirect),
        Route("/stream", stream),
        Route("/events", events),
        Route("/background", background, methods=["POST"]),
        Route("/fail", fail),
    ],
)
