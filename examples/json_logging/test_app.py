from __future__ import annotations

import logging

import app
import pytest

from polylambda.testing import HandlerClient

client = HandlerClient(app.handler)


@pytest.fixture(autouse=True)
def _log_from_info_on(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)


def test_fields_are_for_queries():
    result = client.invoke({"id": "7", "item": "tea"})
    assert result.value == {"order": "7"}
    (record,) = result.records
    assert record.getMessage() == "order taken"
    assert (record.order, record.item) == ("7", "tea")


def test_what_fails_says_which_order_it_was():
    result = client.invoke({"id": "8", "item": "coffee"})
    assert isinstance(result.exception, ValueError)
    assert [(record.levelname, record.order) for record in result.records] == [("INFO", "8"), ("ERROR", "8")]
