from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import app
import pytest

from polylambda.testing import HandlerClient


@pytest.fixture
def client() -> Iterator[HandlerClient]:
    with HandlerClient(app.handler) as client:
        yield client


def get(path: str, query: str = "") -> dict[str, Any]:
    """The event of a function URL for a GET."""
    event = json.loads(Path(__file__).with_name("event.json").read_text())
    event["requestContext"]["http"]["path"] = path
    return {**event, "rawPath": path, "rawQueryString": query}


def test_an_order(client: HandlerClient):
    assert client.invoke(get("/orders/7")).http.value == {"id": 7, "item": "tea", "count": 2}


def test_an_order_that_does_not_exist(client: HandlerClient):
    http = client.invoke(get("/orders/1000")).http
    assert (http.status, http.value) == (404, {"detail": "there is no order 1000"})


def test_an_export_row_by_row(client: HandlerClient):
    result = client.invoke(get("/export", "limit=2000"))
    assert result.streamed
    assert len(result.chunks) == 2001
    rows = list(csv.DictReader(result.http.text.splitlines()))
    assert rows[0] == {"id": "1", "item": "milk", "count": "2"}
    assert len(rows) == 2000
    assert result.http.headers["content-type"] == "text/csv; charset=utf-8"
