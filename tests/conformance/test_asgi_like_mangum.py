"""Buffered answers and scopes beside Mangum's, for the same applications and events: where Mangum is right, they are the same.

Where it is not: 304 and 204 do not get a content type that the application did not give; and JSON under another name than
`application/json` is text, not base64. What differs in scopes is listed in docs/web.md and in the test.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Iterator
from typing import Any

import pytest
from mangum import Mangum

from polylambda import asgi
from polylambda.asgi.events import Events
from polylambda.testing import HandlerClient, make_context
from tests.asgi_events import SOURCES
from tests.conformance.asgi_apps import BLOB, stage

FORM = [("content-type", "application/x-www-form-urlencoded")]
JSON = [("content-type", "application/json")]

REQUESTS: dict[str, dict[str, Any]] = {
    "json": {"target": "/json", "query": "name=Ada"},
    "query": {"target": "/json", "query": "name=%C3%A9%26%20x&other=1"},
    "echo": {"target": "/json", "method": "POST", "headers": JSON, "body": b'{"a": [1, "\xc3\xa9"]}'},
    "path": {"target": "/items/caf%C3%A9/a%20b"},
    "missing": {"target": "/nowhere"},
    "binary": {"target": "/download"},
    "cookies": {"target": "/cookies", "headers": [("cookie", "a=sent; b=2")]},
    "redirect": {"target": "/redirect"},
    "stream": {"target": "/stream"},
    "failure": {"target": "/fail"},
}


@pytest.fixture
def event_loop_of_mangum() -> Iterator[None]:
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    asyncio.set_event_loop(None)
    loop.close()


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("framework", ["starlette", "litestar"])
def test_the_same_answers(framework: str, source: str, event_loop_of_mangum: None):
    stage.reset()
    app: Any = importlib.import_module(f"tests.conformance.asgi_apps.{framework}_app").app
    events = {name: SOURCES[source](**request) for name, request in REQUESTS.items()}
    context: Any = make_context()
    theirs = {name: Mangum(app, lifespan="off")(event, context) for name, event in events.items()}
    client = HandlerClient(asgi.handler(app, lifespan="off"))
    ours = {name: client.invoke(event).value for name, event in events.items()}
    assert ours == theirs
    assert len(theirs["binary"]["body"]) > len(BLOB)  # in base64


@pytest.mark.parametrize("source", SOURCES)
def test_the_same_scopes(source: str, event_loop_of_mangum: None):
    repeated = [("X-Many", "1"), ("X-Many", "2"), ("Cookie", "a=1"), ("Cookie", "b=2"), ("Connection", "close")]
    event = SOURCES[source]("/a/caf%C3%A9", "POST", query="a=1&b=%20", headers=repeated, body=b"{}")
    context: Any = make_context()
    theirs = Mangum(stage, lifespan="off").infer(event, context).scope  # pyright: ignore[reportArgumentType]
    ours = Events(root_path="", text_types=()).request(event, context).scope
    names = ours.keys() | theirs.keys()
    balancer = {"client"} if source.startswith("alb") else set[str]()
    assert {name for name in names if ours.get(name) != theirs.get(name)} == {"asgi", "headers", "raw_path"} | balancer
    dropped = {b"connection", b"cookie", b"x-many"}
    assert [line for line in ours["headers"] if line[0] not in dropped] == [
        (name, value) for name, value in theirs["headers"] if name not in dropped
    ]
