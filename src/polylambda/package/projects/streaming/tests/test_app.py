import json
from pathlib import Path

import app
import pytest

from polylambda.testing import HandlerClient

client = HandlerClient(app.handler)


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    monkeypatch.setattr(app, "PAUSE", 0)


def test_counts_down_in_pieces():
    result = client.invoke(json.loads(Path("events/countdown.json").read_text()))
    assert result.http.status == 200
    assert result.chunks == [b"5\n", b"4\n", b"3\n", b"2\n", b"1\n", b"go\n"]


def test_counts_from_three_unless_told():
    assert client.invoke({}).http.text == "3\n2\n1\ngo\n"


def test_refuses_what_is_no_number():
    assert client.invoke({"queryStringParameters": {"from": "ten"}}).http.status == 400
