from __future__ import annotations

import json
from pathlib import Path

import app
import pytest

from polylambda.testing import HandlerClient

EVENTS = Path(__file__).parent.parent / "events"
client = HandlerClient(app.handler)


def event(name: str):
    return json.loads((EVENTS / name).read_text())


def test_http():
    http = client.invoke(event("http-api.json")).http
    assert http.status == 201
    assert http.headers["location"] == "/orders/1007"
    assert http.value == {"id": "1007", "item": "green tea", "count": 2}


def test_sqs():
    result = client.invoke(event("sqs.json"))
    assert result.value == {"batchItemFailures": [{"itemIdentifier": "5b6c0d4e-93f1-4c2a-8e77-2d1f0a9b3c02"}]}


def test_s3():
    assert client.invoke(event("s3.json")).value == {"imported": ["s3://tea-shop-uploads/orders/february 2026.csv"]}


def test_anything_else():
    with pytest.raises(ValueError, match="no kind that is known here: source"):
        _ = client.invoke({"source": "aws.events"}).value
