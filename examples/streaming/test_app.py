from __future__ import annotations

import app
import pytest

from polylambda.testing import HandlerClient

client = HandlerClient(app.handler)


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(app, "PAUSE", 0)


def test_one_chunk_for_each_word():
    result = client.invoke({"queryStringParameters": {"text": "one two three"}})
    assert result.chunks == [b"one ", b"two ", b"three ", b"\n"]


def test_head():
    http = client.invoke().http
    assert http.status == 200
    assert http.headers["content-type"] == "text/plain; charset=utf-8"
    assert http.text.split() == app.TEXT.split()
