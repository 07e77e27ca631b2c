from typing import Any

from quart import Quart, jsonify, request
from quart import redirect as redirect_to

from tests.conformance.asgi_apps import BLOB, digest, pieces, stage

app = Quart(__name__)
shared: dict[str, str] = {}


@app.before_serving  # and not `while_serving`, which an application can run once only
async def begin() -> None:
    stage.log.append("open")
    shared["pool"] = "open"


@app.after_serving
async def end() -> None:
    stage.log.append("closed")


@app.get("/state")
async def state() -> Any:
    return shared


@app.get("/json")
async def hello() -> Any:
    return {"hello": request.args["name"]}


@app.post("/json")
async def echo() -> Any:
    return {**await request.get_json(), "seen": True}


@app.get("/items/<path:name>")
async def item(name: str) -> Any:
    return {"item": name}


@app.post("/form")
async def form() -> Any:
    return {"name": (await request.form)["name"]}


@app.post("/upload")
async def upload() -> Any:
    file = (await request.files)["file"]
    return {"name": file.filename, "sha256": digest(file.read())}


@app.get("/download")
async def download() -> Any:
    return BLOB, {"content-type": "application/octet-stream"}


@app.get("/cookies")
async def cookies() -> Any:
    response = jsonify({"a": request.cookies["a"]})
    response.set_cookie("a", "1")
    response.set_cookie("b", "2")
    return response


@app.get("/redirect")
async def redirect() -> Any:
    return redirect_to("/json", 307)


@app.get("/stream")
async def stream() -> Any:
    return pieces(), {"content-type": "text/plain"}


@app.get("/events")
async def events() -> Any:
    return stage.events(), {"content-type": "text/event-stream"}


@app.post("/background")
async def background() -> Any:
    app.add_background_task(stage.work)
    return "accepted"


@app.get("/fail")
async def fail() -> Any:
    raise KeyError("mine")
