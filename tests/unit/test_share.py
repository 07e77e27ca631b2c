"""A process's share of an environment's slots."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from polylambda.runtime import share
from polylambda.runtime.share import Share


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    before = share.of_this_process()
    yield
    share.give(before)


def test_without_a_supervisor_nobody_keeps_account() -> None:
    alone = Share(range(8))
    assert [alone.keeper(slot) for slot in alone.slots] == [None] * 8


def test_keepers_go_by_the_environments_numbers() -> None:
    keepers: list[Any] = ["fifth", "sixth", "seventh"]
    worker = Share(range(5, 8), keepers)
    assert [worker.keeper(slot) for slot in worker.slots] == keepers


def test_a_process_is_no_worker_until_it_is_told() -> None:
    assert share.of_this_process() is None
    given = Share(range(2))
    share.give(given)
    assert share.of_this_process() is given
    share.give(None)
    assert share.of_this_process() is None
