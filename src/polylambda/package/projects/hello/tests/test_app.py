import json
from pathlib import Path

import app

from polylambda.testing import HandlerClient

client = HandlerClient(app.handler)


def test_greets():
    event = json.loads(Path("events/hello.json").read_text())
    assert client.invoke(event).value == {"greeting": "Bonjour Ada!"}


def test_greets_in_english_unless_told():
    assert client.invoke({"name": "Ada"}).value == {"greeting": "Hello Ada!"}


def test_refuses_a_visitor_without_a_name():
    error = client.invoke({"language": "de"}).error
    assert error is not None
    assert error["errorMessage"] == "event.name: field is missing"
