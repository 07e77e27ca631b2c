import asyncio
import json
import threading
from pathlib import Path

import app

from polylambda.testing import HandlerClient, RuntimeClient

EVENT = json.loads(Path("events/report.json").read_text())


def test_writes_every_page(monkeypatch, capsys):
    monkeypatch.setattr(app, "EFFORT", 0)
    assert HandlerClient(app.handler).invoke(EVENT).value["status"] == "accepted"
    assert capsys.readouterr().out.splitlines() == ["tea: page 1 of 2", "tea: page 2 of 2"]


def test_answers_before_it_works(monkeypatch):
    answered = threading.Event()

    async def write_page(report, number):
        await asyncio.to_thread(answered.wait)

    monkeypatch.setattr(app, "write_page", write_page)
    # A whole runtime: it answers while its handler is still at work.
    with RuntimeClient(app.handler) as client:
        assert client.invoke(EVENT).value["status"] == "accepted"
        answered.set()
