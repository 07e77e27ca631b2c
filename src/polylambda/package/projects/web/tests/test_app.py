import json
from pathlib import Path

import app
import pytest

from polylambda.testing import HandlerClient


@pytest.fixture
def client(monkeypatch):
    monkeypatch.setattr(app, "PAUSE", 0)
    with HandlerClient(app.handler) as client:
        yield client


def event(name):
    return json.loads(Path(f"events/{name}.json").read_text())


def test_index(client):
    http = client.invoke(event("index")).http
    assert http.status == 200
    assert http.value == {"hello": "world"}


def test_places_an_order(client):
    http = client.invoke(event("order")).http
    assert http.status == 201
    assert http.value == {"item": "tea", "count": 2}


def test_refuses_an_order_without_an_item(client):
    assert client.invoke({**event("order"), "body": "{}"}).http.status == 422


def test_counts_down_in_pieces(client):
    result = client.invoke(event("countdown"))
    assert result.http.text == "2\n1\ngo\n"
    assert result.streamed
