from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from litestar import Litestar, MediaType, Request, Response, get, post
from litestar.background_tasks import BackgroundTask
from litestar.response import Redirect, Stream

from tests.conformance.asgi_apps import BLOB, digest, pieces, stage


@asynccontextmanager
async def lifespan(app: Litestar) -> AsyncGenerator[None]:
    stage.log.append("open")
    app.state.pool = "open"
    yield
    stage.log.append("closed")


@get("/state")
async def state(request: Request[Any, Any, Any]) -> dict[str, str]:
    return {"pool": request.app.state.pool}


@get("/json")
async def hello(request: Request[Any, Any, Any]) -> dict[str, str]:
    return {"hello": request.query_params["name"]}


@post("/json", status_code=200)
async def echo(request: Request[Any, Any, Any]) -> dict[str, Any]:
    return {**await request.json(), "seen": True}


@get("/items/{name:path}")
async def item(request: Request[Any, Any, Any]) -> dict[str, str]:
    return {"item": request.path_params["name"].removeprefix("/")}


@post("/form", status_code=200)
async def form(request: Request[Any, Any, Any]) -> dict[str, str]:
    return {"name": (await request.form())["name"]}


@post("/upload", status_code=200)
async def upload(request: Request[Any, Any, Any]) -> dict[str, str]:
    file = (await request.form())["file"]
    return {"name": file.filename, "sha256": digest(await file.read())}


@get("/download", media_type="application/octet-stream")
async def download() -> bytes:
    return BLOB


@get("/cookies")
async def cookies(request: Request[Any, Any, Any]) -> Response[dict[str, str]]:
    response = Response({"a": request.cookies["a"]})
    response.set_cookie("a", "1")
    response.set_cookie("b", "2")
    return response


@get("/redirect", status_code=307)
async def redirect() -> Redirect:
    return Redirect("/json", status_code=307)


@get("/stream")
async def stream() -> Stream:
    return Stream(pieces(), media_type=MediaType.TEXT)


@get("/events")
async def events() -> Stream:
    return Stream(stage.events(), media_type="text/event-stream")


@post("/background", status_code=200)
async def background() -> Response[str]:
    return Response("accepted", media_type=MediaType.TEXT, background=BackgroundTask(stage.work))


@get("/fail")
async def fail() -> None:
    raise KeyError("mine")


app = Litestar(
    [state, hello, echo, item, form, upload, download, cookies, redirect, stream, events, background, fail],
    lifespan=[lifespan],
    openapi_config=None,
    logging_config=None,  # it would start a thread
)
