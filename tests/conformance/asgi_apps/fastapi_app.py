from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import BackgroundTasks, Cookie, FastAPI, Form, Request, UploadFile
from fastapi.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response, StreamingResponse

from tests.conformance.asgi_apps import BLOB, digest, pieces, stage


@asynccontextmanager
async def lifespan(_: Any) -> AsyncGenerator[dict[str, str]]:
    stage.log.append("open")
    yield {"pool": "open"}
    stage.log.append("closed")


app = FastAPI(lifespan=lifespan)


@app.get("/state")
async def state(request: Request) -> dict[str, str]:
    return {"pool": request.state.pool}


@app.get("/json")
async def hello(name: str) -> dict[str, str]:
    return {"hello": name}


@app.post("/json")
async def echo(body: dict[str, Any]) -> dict[str, Any]:
    return {**body, "seen": True}


@app.get("/items/{name:path}")
def item(name: str) -> dict[str, str]:  # in a thread
    return {"item": name}


@app.post("/form")
async def form(name: Annotated[str, Form()]) -> dict[str, str]:
    return {"name": name}


@app.post("/upload")
async def upload(file: UploadFile) -> dict[str, str | None]:
    return {"name": file.filename, "sha256": digest(await file.read())}


@app.get("/download")
async def download() -> Response:
    return Response(BLOB, media_type="application/octet-stream")


@app.get("/cookies")
async def cookies(a: Annotated[str, Cookie()]) -> Response:
    response = JSONResponse({"a": a})
    response.set_cookie("a", "1")
    response.set_cookie("b", "2")
    return response


@app.get("/redirect")
async def redirect() -> Response:
    return RedirectResponse("/json")


@app.get("/stream")
async def stream() -> Response:
    return StreamingResponse(pieces(), media_type="text/plain")


@app.get("/events")
async def events() -> Response:
    return StreamingResponse(stage.events(), media_type="text/event-stream")


@app.post("/background")
async def background(tasks: BackgroundTasks) -> Response:
    tasks.add_task(stage.work)
    return PlainTextResponse("accepted", background=tasks)


@app.get("/fail")
async def fail() -> None:
    raise KeyError("mine")
