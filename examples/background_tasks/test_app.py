from __future__ import annotations

import asyncio
import threading

import app
import pytest

from polylambda.testing import HandlerClient, RuntimeClient


def test_answers_and_packs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr(app, "PACKING", 0)
    result = HandlerClient(app.handler).invoke(app.Order(id="7", item="tea", count=2))
    assert result.value == {"order": "7", "status": "accepted"}
    # `invoke` returns when the handler does.
    assert capsys.readouterr().out.splitlines() == ["order 7: packed 1 of 2", "order 7: packed 2 of 2"]


def test_answers_before_it_packs(monkeypatch: pytest.MonkeyPatch):
    async def pack(order: app.Order) -> None:
        await asyncio.to_thread(answered.wait)

    answered = threading.Event()
    monkeypatch.setattr(app, "pack", pack)
    # A whole runtime: it answers while its handler is still at work.
    with RuntimeClient(app.handler) as client:
        assert client.invoke({"id": "7", "item": "tea"}).value == {"order": "7", "status": "accepted"}
        answered.set()
