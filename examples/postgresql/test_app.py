from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import app
import asyncpg
import pytest
from database import database

from polylambda import LambdaContext
from polylambda.testing import HandlerClient, RuntimeClient


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with database() as url:
        yield url


@pytest.fixture(autouse=True)
def environment(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", url)


def test_keeps_a_note():
    with HandlerClient(app.runtime) as client:
        first = client.invoke({"author": "Ada", "text": "tea"}).value
        second = client.invoke({"author": "Grace", "text": "salt"}).value
    assert first == {"number": first["number"], "author": "Ada", "text": "tea"}
    assert second["number"] == first["number"] + 1


def test_quotes_are_no_trouble():
    text = "'); DROP TABLE notes; --"
    with HandlerClient(app.runtime) as client:
        assert client.invoke({"author": "Bobby", "text": text}).value["text"] == text


def test_many_invocations_share_a_few_connections():
    with RuntimeClient(app.runtime, concurrency=16) as client, ThreadPoolExecutor(16) as callers:
        notes = [{"author": f"caller {number}", "text": "tea"} for number in range(64)]
        kept = [result.value for result in callers.map(client.invoke, notes)]
    assert [note["author"] for note in kept] == [note["author"] for note in notes]
    assert len({note["number"] for note in kept}) == len(notes)


def test_pool_is_no_larger_than_it_says():
    async def connections(event: object, context: LambdaContext) -> int:
        return await context.state.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
        )

    with (
        RuntimeClient(connections, lifespan=app.lifespan, concurrency=16) as client,
        ThreadPoolExecutor(16) as callers,
    ):
        assert max(result.value for result in callers.map(client.invoke, [{}] * 64)) <= app.CONNECTIONS


def test_database_that_is_away(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://127.0.0.1:1/nothing")
    with pytest.raises((OSError, asyncpg.PostgresError)), HandlerClient(app.runtime):
        pass
