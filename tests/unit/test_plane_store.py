from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from polylambda.errors import ConfigurationError
from polylambda.plane.records import ProviderRecord, VersionRecord
from polylambda.plane.store import EVERY_QUALIFIER, Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path)
    yield store
    store.close()


def version(function: str = "f", qualifier: str = "$LATEST", **members: Any) -> VersionRecord:
    document = {"FunctionArn": f"arn:aws:lambda:us-east-1:123456789012:function:{function}", "Timeout": 3}
    return VersionRecord(
        function_name=function, qualifier=qualifier, document=document, code="/code", generation="1", **members
    )


def provider(name: str = "cp", **members: Any) -> ProviderRecord:
    return ProviderRecord(name=name, document={"CapacityProviderArn": f"arn:{name}"}, **members)


def everything(store: Store) -> list[object]:
    return [
        store.providers(),
        store.versions(),
        [store.aliases("f"), store.url_configs("f"), store.event_invoke_configs("f")],
        [store.function_tags("f"), store.reserved_concurrency("f"), store.url_by_id("id")],
    ]


def test_everything_is_there_after_another_start(tmp_path: Path):
    first = Store(tmp_path)
    first.put_provider(provider(tags={"a": "b"}))
    first.put_provider(provider("gone"))
    first.remove_provider("gone")
    first.put_version(version(min_environments=0, max_environments=0, deleting=True))
    first.put_version(version(qualifier="1"))
    first.put_alias("f", "live", {"Name": "live"})
    first.put_url_config("f", EVERY_QUALIFIER, {"UrlId": "id"})
    first.put_event_invoke_config("f", "$LATEST", {"LastModified": 1.5})
    first.put_function_tags("f", {"a": "ä"})
    first.put_reserved_concurrency("f", 0)
    assert first.next_version("f") == "1"
    before = everything(first)
    first.close()
    second = Store(tmp_path)
    assert everything(second) == before
    assert second.url_by_id("id") == ("f", EVERY_QUALIFIER, {"UrlId": "id"})
    assert second.next_version("f") == "2"
    second.close()


def test_a_write_that_returned_survives_a_kill(tmp_path: Path):
    program = """
import os, signal, sys
from pathlib import Path
from polylambda.plane.records import ProviderRecord
from polylambda.plane.store import Store
store = Store(Path(sys.argv[1]))
for number in range(20):
    store.put_provider(ProviderRecord(name=f"cp{number:02}", document={}))
os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False, timeout=30)
    store = Store(tmp_path)
    assert len(store.providers()) == 20
    store.close()


def test_order_of_versions(store: Store):
    for qualifier in ("10", "2", "$LATEST.PUBLISHED", "$LATEST"):
        store.put_version(version(qualifier=qualifier))
    assert [one.qualifier for one in store.versions_of("f")] == ["$LATEST", "$LATEST.PUBLISHED", "2", "10"]


def test_last_version_takes_the_function_with_it(store: Store):
    for record in (version(), version(qualifier="1"), version("g")):
        store.put_version(record)
    store.put_alias("f", "live", {"Name": "live"})
    store.put_url_config("f", "live", {"UrlId": "id"})
    store.put_event_invoke_config("f", "1", {})
    store.put_function_tags("f", {"a": "b"})
    store.next_version("f")
    store.remove_version("f", "1")
    assert store.event_invoke_configs("f") == []
    assert store.aliases("f")
    store.remove_version("f", "$LATEST")
    store.remove_version("f", "$LATEST")
    assert everything(store) == [[], [version("g")], [[], [], []], [{}, None, None]]
    assert store.functions() == ["g"]
    assert store.next_version("f") == "1"


def test_removing_an_alias_removes_what_is_configured_for_it(store: Store):
    store.put_version(version())
    store.put_alias("f", "live", {"Name": "live"})
    store.put_url_config("f", "live", {"UrlId": "id"})
    store.put_event_invoke_config("f", "live", {})
    store.remove_alias("f", "live")
    assert (store.alias("f", "live"), store.url_by_id("id"), store.event_invoke_configs("f")) == (None, None, [])


def test_replacing(store: Store):
    store.put_version(version())
    store.put_version(replace(version(), generation="2"))
    assert [one.generation for one in store.versions()] == ["2"]


def test_what_is_not_there(store: Store):
    assert store.provider("x") is None
    assert store.version("x", "1") is None
    assert store.versions_of("x") == []
    assert store.alias("x", "y") is None
    assert store.url_config("x", "y") is None
    assert store.url_by_id("x") is None
    store.remove_url_config("x", "y")
    store.remove_alias("x", "y")


def test_store_of_a_later_polylambda(tmp_path: Path):
    Store(tmp_path).close()
    with sqlite3.connect(tmp_path / "plane.db") as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(ConfigurationError, match="a later polylambda"):
        Store(tmp_path)


def test_what_is_no_store(tmp_path: Path):
    (tmp_path / "plane.db").write_text("something else " * 100)
    with pytest.raises(ConfigurationError, match="is not a store"):
        Store(tmp_path)
