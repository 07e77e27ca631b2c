"""Planting: everywhere that a text may be any, and nowhere else; an event stays an event of its kind."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from polylambda.check.dynamic.planting import places, plant

MARK = "fa5e0001abcd"


def planted(event: Any) -> Any:
    return plant(event, frozenset(places(event)), MARK)


@pytest.mark.parametrize(
    "text",
    [
        "", "17", "1.5", "-3", "2026-11-22", "2026-11-22T11:20:04.123Z", "11:20", "POST", "ORDER_PLACED", "$default", "true",
        "arn:aws:s3:::bucket", "aws:sqs", "ObjectCreated:Put", "/orders/7", "application/json", "text/html; charset=utf-8",
        "10.0.0.1", "22/Nov/2026:11:20:04 +0000", "null",
    ],
)  # fmt: skip
def test_leaves_what_has_a_form(text: str):
    assert planted({"value": text}) == {"value": text}


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        ("Ada", f"Ada-{MARK}"),
        ("a few words", f"a few words-{MARK}"),
        ("orders/february 2026.csv", f"orders/february 2026-{MARK}.csv"),
        ("ada@example.com", f"ada-{MARK}@example.com"),
        ("https://example.com/a", f"https://example.com/a?m={MARK}"),
        ("https://example.com/a?b=c", f"https://example.com/a?b=c&m={MARK}"),
        ("0f8fad5b-d9cb-469f-a165-70867728950e", f"0f8fad5b-d9cb-469f-a165-{MARK}"),
        ("0123456789abcdef0123456789abcdef", f"0123456789abcdef0123{MARK}"),
    ],
)
def test_keeps_the_kind_of_text(text: str, marked: str):
    assert planted({"value": text}) == {"value": marked}


def test_leaves_keys_and_everything_that_is_no_text():
    event = {"count": 3, "price": 1.5, "gift": True, "note": None, "items": []}
    assert planted(event) == event


@pytest.mark.parametrize(
    "name", ["eventSource", "httpMethod", "awsRegion", "md5OfBody", "eventSourceARN", "rawPath", "path"]
)
def test_leaves_fixed_names(name: str):
    assert planted({name: "something"}) == {name: "something"}


def test_headers_are_marked_only_where_anything_goes():
    event = {"headers": {"content-type": "weird", "host": "example", "authorization": "Bearer abc", "X-User": "ada"}}
    marked = planted(event)["headers"]
    assert (marked["content-type"], marked["host"]) == ("weird", "example")
    assert marked["authorization"] == f"Bearer abc-{MARK}"
    assert marked["X-User"] == f"ada-{MARK}"


def test_goes_into_json_and_base64():
    inner = json.dumps({"name": "Ada", "count": 1})
    event = {"Records": [{"body": inner}, {"body": base64.b64encode(inner.encode()).decode()}]}
    first, second = planted(event)["Records"]
    assert json.loads(first["body"]) == {"name": f"Ada-{MARK}", "count": 1}
    assert json.loads(base64.b64decode(second["body"])) == {"name": f"Ada-{MARK}", "count": 1}


def test_what_has_no_place_stays_as_it_is_to_the_last_space():
    event = {"body": '{"count" :   1}'}
    assert planted(event) == event


def test_only_chosen_places_are_marked():
    event = {"a": "one", "b": ["two", "three"]}
    assert plant(event, frozenset({("b", "1")}), MARK) == {"a": "one", "b": ["two", f"three-{MARK}"]}


def test_a_text_by_itself():
    assert planted("hello") == f"hello-{MARK}"
