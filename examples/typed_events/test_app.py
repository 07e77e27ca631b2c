from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import app

from polylambda.testing import HandlerClient

HERE = Path(__file__).parent


def event(path: str) -> Any:
    return json.loads((HERE / path).read_text())


def test_queue_names_the_message_to_send_again(capsys):
    result = HandlerClient(app.queue).invoke(event("../events/sqs.json"))
    assert result.value == {"batchItemFailures": [{"itemIdentifier": "5b6c0d4e-93f1-4c2a-8e77-2d1f0a9b3c02"}]}
    assert "order 1008: 1 x oolong" in capsys.readouterr().out


def test_bus():
    result = HandlerClient(app.bus).invoke(event("events/eventbridge.json"))
    assert result.value == {"order": "1007", "from": "tea-shop.till"}


def test_bus_refuses_a_detail_that_is_no_order():
    wrong = {**event("events/eventbridge.json"), "detail": {"id": "1007", "item": "tea", "count": "many"}}
    error = HandlerClient(app.bus).invoke(wrong).error
    assert error is not None
    assert error["errorType"] == "ValidationError"
    assert "detail.count" in error["errorMessage"]


def test_stream_stops_at_the_first_change_that_fails(capsys):
    result = HandlerClient(app.stream).invoke(event("events/dynamodb.json"))
    assert result.value == {"batchItemFailures": [{"itemIdentifier": "111000000000000000002"}]}
    assert "order 1007 has 2 x green tea" in capsys.readouterr().out


def test_stream_sees_what_is_removed(capsys):
    (*_, removed) = event("events/dynamodb.json")["Records"]
    assert HandlerClient(app.stream).invoke({"Records": [removed]}).value == {"batchItemFailures": []}
    assert capsys.readouterr().out == "order 1008 is gone\n"
