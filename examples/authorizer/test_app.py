from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import app
import pytest

from polylambda.testing import HandlerClient

HERE = Path(__file__).parent


def event(name: str) -> dict[str, Any]:
    return json.loads((HERE / "events" / f"{name}.json").read_text())


def with_token(token: str) -> dict[str, Any]:
    return {"headers": {"authorization": f"Bearer {token}"}}


def test_simple():
    client = HandlerClient(app.simple)
    assert client.invoke(event("simple")).value == {"isAuthorized": True, "context": {"name": "ada"}}
    assert client.invoke({"headers": {}}).value == {"isAuthorized": False, "context": {}}


@pytest.mark.parametrize(
    "token",
    [
        app.sign("ada", int(time.time()) - 1),
        app.sign("ada", 4102444800).replace("ada", "eve"),
        app.sign("ada", 4102444800).replace("4102444800", "4102444801"),
        "ada.4102444800.",
        "ada..",
        f"ada.{'9' * 5000}.",
        "é.1.é",
        "",
    ],
)
def test_refuses(token: str):
    assert HandlerClient(app.simple).invoke(with_token(token)).value == {"isAuthorized": False, "context": {}}


def test_policy_is_for_the_whole_stage():
    value = HandlerClient(app.policy).invoke(event("policy")).value
    assert value["principalId"] == "ada"
    (statement,) = value["policyDocument"]["Statement"]
    assert statement["Effect"] == "Allow"
    assert statement["Resource"] == "arn:aws:execute-api:eu-central-1:123456789012:t4k1x2m3n5/prod/*"


def test_policy_refuses_with_the_words_that_api_gateway_knows():
    error = HandlerClient(app.policy).invoke({**event("policy"), "authorizationToken": "Bearer ada"}).error
    assert error is not None
    assert error["errorMessage"] == "Unauthorized"


@pytest.mark.parametrize("found", [{"lambda": {"name": "ada"}}, {"name": "ada", "principalId": "ada"}])
def test_greets_who_was_let_through(found: dict[str, Any]):
    http = HandlerClient(app.greet).invoke({"requestContext": {"authorizer": found}}).http
    assert http.text == "Hello ada!\n"
