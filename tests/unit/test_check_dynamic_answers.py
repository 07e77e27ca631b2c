"""Comparing answers: what differs by chance is passed over, what differs because of others is not."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from polylambda.check.dynamic.answers import differences, fields_of, shape_of
from polylambda.check.dynamic.observation import Answer


def answers(*values: Any) -> dict[int, Answer]:
    return {number: Answer(json.dumps(value).encode(), None) for number, value in enumerate(values)}


def test_nothing_differs():
    same = answers({"a": 1}, {"a": 2})
    assert not differences(same, same, same, same)


def test_a_field_that_is_another_among_others():
    alone = answers({"a": 1, "b": "x"}, {"a": 2, "b": "x"})
    (found,) = differences(alone, alone, alone, answers({"a": 1, "b": "x"}, {"a": 2, "b": "y"}))
    assert (found.number, found.field, found.alone, found.together) == (1, "b", "x", "y")


def test_a_field_that_is_missing():
    alone = answers({"a": 1, "b": [1]})
    (found,) = differences(alone, alone, alone, answers({"a": 1, "b": []}))
    assert (found.field, found.together) == ("b[*]", "(nothing)")


def test_what_differs_from_run_to_run_is_passed_over():
    one, two, three = answers({"id": "a"}), answers({"id": "b"}), answers({"id": "c"})
    assert not differences(one, two, one, three)


def test_a_running_number_may_go_to_anybody():
    alone, shuffled = answers({"n": 1}, {"n": 2}, {"n": 3}), answers({"n": 3}, {"n": 1}, {"n": 2})
    assert not differences(alone, alone, shuffled, answers({"n": 2}, {"n": 3}, {"n": 1}))


def test_a_running_number_goes_to_one_only():
    alone, shuffled = answers({"n": 1}, {"n": 2}, {"n": 3}), answers({"n": 3}, {"n": 1}, {"n": 2})
    (found,) = differences(alone, alone, shuffled, answers({"n": 1}, {"n": 1}, {"n": 2}))
    assert (found.number, found.alone, found.together) == (None, "3", "1")


def test_what_depends_on_what_ran_before():
    alone, shuffled = answers({"a": "0.33"}, {"a": "0.33"}), answers({"a": "0.3333"}, {"a": "0.33"})
    (found,) = differences(alone, alone, shuffled, alone)
    assert found.by_order


@pytest.mark.parametrize(
    "value",
    [
        {"at": time.time()}, {"at": int(time.time() * 1000)}, {"duration": 0.3}, {"elapsed_ms": 12}, {"day": "2026-11-22"},
        {"at": "2026-11-22T11:20:04Z"}, {"remaining": 29999},
    ],
)  # fmt: skip
def test_times_are_no_fields(value: dict[str, Any]):
    assert not fields_of(Answer(json.dumps(value).encode(), None))


def test_json_in_a_text_has_fields_of_its_own():
    body = {"statusCode": 200, "body": json.dumps({"name": "Ada", "took": 3})}
    assert fields_of(Answer(json.dumps(body).encode(), None)) == {"statusCode": 200, "body:.name": "Ada"}


def test_addresses_are_left_out():
    assert fields_of(Answer(b'"<object at 0x7fbc49078350>"', None)) == {"": "<object at 0x>"}


def test_what_is_no_json_is_one_field():
    assert fields_of(Answer(b"one two", None)) == {"": "one two"}


def test_shapes():
    one, two = Answer(b'{"ok": true, "items": [1, 2]}', None), Answer(b'{"ok": true, "items": [3]}', None)
    assert shape_of(one) == shape_of(two)
    assert shape_of(one) != shape_of(Answer(b'{"ok": false, "items": [1, 2]}', None))
    assert shape_of(one) != shape_of(Answer(b'{"ok": true}', None))
    assert shape_of(Answer(b'{"statusCode": 200}', None)) != shape_of(Answer(b'{"statusCode": 404}', None))
    failed = Answer(b"", {"errorType": "KeyError", "errorMessage": "'name'"})
    assert shape_of(failed) == shape_of(Answer(b"", {"errorType": "KeyError", "errorMessage": "'other'"}))
