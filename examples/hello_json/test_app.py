from __future__ import annotations

import app

from polylambda.testing import HandlerClient

client = HandlerClient(app.handler)


def test_greets():
    assert client.invoke({"name": "Ada", "times": 2}).value == {"greetings": ["Hello Ada!", "Hello Ada!"]}


def test_greets_once_unless_told():
    assert client.invoke(app.HelloRequest(name="Ada")).value == {"greetings": ["Hello Ada!"]}


def test_refuses_what_has_no_name():
    result = client.invoke({"nome": "Ada"})
    assert result.error is not None
    assert result.error["errorType"] == "ValidationError"
    assert result.error["errorMessage"] == "event.name: field is missing"
