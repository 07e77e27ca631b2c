from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import app
import pytest

from polylambda import LambdaManagedRuntime
from polylambda.testing import HandlerClient, RuntimeClient, make_context


@pytest.fixture
def notebook() -> app.Notebook:
    return app.Notebook(app.Tenants())


def test_a_tenant_sees_its_own_notes(notebook: app.Notebook):
    client = HandlerClient(notebook)

    def note(tenant: str, text: str) -> list[str]:
        return client.invoke({"text": text}, context=make_context(tenant_id=tenant)).value["notes"]

    assert note("blue", "tea") == ["tea"]
    assert note("green", "salt") == ["salt"]
    assert note("blue", "milk") == ["tea", "milk"]


def test_without_a_tenant_nothing_is_kept(notebook: app.Notebook):
    error = HandlerClient(notebook).invoke({"text": "tea"}).error
    assert error is not None
    assert error["errorType"] == "PermissionError"


def test_the_tenant_not_seen_for_longest_is_forgotten(notebook: app.Notebook, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(app, "MOST", 2)
    client = HandlerClient(notebook)
    notes = [
        client.invoke({"text": "tea"}, context=make_context(tenant_id=tenant)).value["notes"]
        for tenant in ("blue", "green", "blue", "red", "blue", "green")
    ]
    assert list(map(len, notes)) == [1, 1, 2, 1, 3, 1]


def test_two_tenants_at_the_same_time(notebook: app.Notebook):
    runtime = LambdaManagedRuntime(notebook, concurrency="task")
    with RuntimeClient(runtime, concurrency=8) as client, ThreadPoolExecutor(8) as pool:
        tenants = ["blue", "green"] * 12
        results = list(pool.map(lambda t: client.invoke({"text": t}, tenant_id=t).value, tenants))
    assert all(set(result["notes"]) == {result["tenant"]} for result in results)
    assert sorted(len(result["notes"]) for result in results if result["tenant"] == "blue") == list(range(1, 13))
