from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import app
import pytest

from polylambda.testing import HandlerClient


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[HandlerClient]:
    monkeypatch.setattr(app, "PAUSE", 0)
    with HandlerClient(app.handler) as client:
        yield client


def get(path: str, query: str = "") -> dict[str, Any]:
    """The event of a function URL for a GET."""
    event = json.loads(Path(__file__).with_name("event.json").read_text())
    event["requestContext"]["http"]["path"] = path
    return {**event, "rawPath": path, "rawQueryString": query}


def test_an_event_for_each_word(client: HandlerClient):
    result = client.invoke(get("/answer", "prompt=salt"))
    assert result.streamed
    assert result.http.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert result.chunks[3] == b'data: {"word": "salt"}\n\n'
    assert result.chunks[-1] == b'event: done\ndata: {"words": 13}\n\n'
    assert len(result.chunks) == 14


def test_nothing_was_asked(client: HandlerClient):
    assert client.invoke(get("/answer")).http.status == 400


def test_the_page(client: HandlerClient):
    http = client.invoke(get("/")).http
    assert http.headers["content-type"].startswith("text/html")
    assert "EventSource" in http.text
