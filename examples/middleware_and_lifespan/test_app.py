from __future__ import annotations

import json

import app

from polylambda.testing import HandlerClient


def batch(*bodies: str) -> dict[str, object]:
    return {"Records": [{"messageId": f"m{number}", "body": body} for number, body in enumerate(bodies)]}


def test_keeps_orders_and_returns_what_is_none():
    tea = json.dumps({"id": "1", "item": "tea", "count": 2})
    with HandlerClient(app.runtime) as client:
        assert client.invoke(batch(tea, "no JSON", tea)).value == {"batchItemFailures": [{"itemIdentifier": "m1"}]}
        # The database lives as long as the client.
        assert client.invoke(batch(tea)).value == {"batchItemFailures": []}


def test_middleware_notes_the_time(capsys):
    with HandlerClient(app.runtime) as client:
        client.invoke(batch())
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "opened the database"
    assert printed[1].startswith("14 bytes took ")
    assert printed[2] == "closed the database"
