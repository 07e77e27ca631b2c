"""What `benchmarks/web.py` makes of its figures."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
FAST, SLOW = 1.0, 9.0


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.syspath_prepend(BENCHMARKS)
    before = set(sys.modules)
    module = importlib.import_module("web")
    monkeypatch.setattr(module, "commit", lambda: "c0ffee")
    yield module
    for name in sys.modules.keys() - before:
        if name == "web" or name.partition(".")[0] == "harness":  # names that others may have
            del sys.modules[name]


@pytest.mark.parametrize(
    ("slots", "slow", "met"),
    [(1, 0, True), (1, 4, False), (1, 49, False), (8, 49, True), (8, 51, False), (64, 49, True), (64, 51, False)],
)
def test_bar_for_the_first_byte_of_a_stream(web: Any, slots: int, slow: int, met: bool):
    times = [FAST] * (100 - slow) + [SLOW] * slow
    ((text, _, found),) = web._bars({}, {slots: {web.POLYLAMBDA.name: times}})
    assert text.startswith("one slot: p99" if slots == 1 else f"{slots} slots: median")
    assert found is met


def test_median_and_p99_of_streams_are_reported_for_all_slots(web: Any):
    streams = {slots: {web.POLYLAMBDA.name: [FAST] * 96 + [SLOW] * 4} for slots in web.SLOTS}
    report = web._report({}, streams, [], argparse.Namespace(), 1).splitlines()
    for slots in web.SLOTS:
        assert f"| polylambda | {slots} | 100 | 1.00 | 9.00 | 9.00 |" in report
