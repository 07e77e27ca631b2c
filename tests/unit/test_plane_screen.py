from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console, RenderableType

from polylambda.plane import screen
from polylambda.plane.plan import FunctionPlan, Plan, ProviderPlan
from polylambda.plane.tally import FleetView, Tally, Verdict

ARN = "arn:aws:lambda:us-east-1:123456789012:function:orders:$LATEST.PUBLISHED"


def text_of(renderable: RenderableType) -> list[str]:
    file = io.StringIO()
    Console(file=file, width=160, highlight=False).print(renderable)
    return [line.rstrip() for line in file.getvalue().splitlines()]


def environment(name: str, state: str = "Ready", **changes: Any) -> dict[str, Any]:
    return {
        "id": name * 4,
        "version": ARN,
        "instance": "i-0001",
        "zone": "us-east-1a",
        "state": state,
        "slots": 8,
        "in_flight": 3,
        "cpu": 0.25,
        "memory": 41.6,
        "pid": 4711,
        "hot": None,
        **changes,
    }


def instance(name: str = "i-0001", state: str = "Running", zone: str = "us-east-1a") -> dict[str, Any]:
    return {
        "id": name,
        "provider": "tea-shop",
        "type": "m7i.large",
        "zone": zone,
        "state": state,
        "vcpus": 2,
        "memory": 8192,
        "cpu": 0.65,
        "memory_used": 83.2,
        "environments": 1,
        "pid": 4700,
        "age": 12.0,
    }


@pytest.fixture
def snapshot() -> dict[str, Any]:
    return {
        "time": 60.0,
        "providers": [{"name": "tea-shop", "state": "Active", "vcpus": 4, "max_vcpus": 32}],
        "versions": [
            {
                "arn": ARN,
                "function": "orders",
                "qualifier": "$LATEST.PUBLISHED",
                "state": "Active",
                "reason": "",
                "wanted": 4,
                "ready": 3,
                "min": 3,
                "max": None,
                "slots": 8,
                "in_flight": 6,
                "invocations": 100,
                "errors": 1,
                "throttles": {"CPUThrottles": 2, "ConcurrencyThrottles": 10, "MemoryThrottles": 0},
            }
        ],
        "instances": [instance("i-0002", "Pending", "us-east-1b"), instance()],
        "environments": [environment("0a1b2c3d"), environment("ffff0000", "Draining", hot="CPUThrottles", in_flight=8)],
    }


def test_fleet(snapshot: dict[str, Any]):
    lines = text_of(screen.fleet(snapshot))
    (provider,) = (line for line in lines if line.startswith("tea-shop"))
    assert provider.split() == ["tea-shop", "Active", "4", "32", "2"]
    (version,) = (line for line in lines if line.startswith("orders "))
    assert "3-" in version
    assert "6 of 24" in version
    assert "12 (CPU 2, Concurrency 10)" in version
    first, below, last, second = lines[-4:]
    assert first.startswith("i-0001")  # in the order of their zones
    assert "65%" in first
    assert "83/8192" in first
    assert below.split() == [
        "0a1b2c3d",
        "orders",
        "Ready",
        "25%",
        "42",
        "■■■·····",
        "3/8",
        "4711",
    ]
    assert "Draining CPUThrottles" in last
    assert "■■■■■■■■ 8/8" in last
    assert second.startswith("i-0002")
    assert "Pending" in second


def test_it_fits_into_80_columns(snapshot: dict[str, Any]):
    snapshot["instances"] = [instance("i-0123456789abcdef0"), instance("i-0123456789abcdef1", "Unhealthy")]
    snapshot["environments"] = [environment("0a1b2c3d", instance="i-0123456789abcdef0", slots=16, in_flight=16)]
    snapshot["versions"][0]["invocations"] = 1234567
    snapshot["versions"][0]["throttles"] = {}
    assert max(map(len, text_of(screen.fleet(snapshot)))) <= 80


def test_why_a_version_is_not_active(snapshot: dict[str, Any]):
    snapshot["versions"][0] |= {"state": "Failed", "reason": "MaxVCpuCount of tea-shop is 4"}
    assert any(line.strip() == "MaxVCpuCount of tea-shop is 4" for line in text_of(screen.fleet(snapshot)))


def test_empty_plane():
    empty = {"providers": [], "versions": [], "instances": [], "environments": []}
    assert "empty plane" in text_of(screen.fleet(empty))[0]


def test_summary(snapshot: dict[str, Any]):
    assert text_of(screen.summary(snapshot)) == [
        "1 instance + 1 Pending   1 environment + 1 Draining   6 in flight",
    ]


def test_many_slots_are_a_short_bar(snapshot: dict[str, Any]):
    snapshot["environments"] = [environment("0a1b2c3d", slots=64, in_flight=1)]
    assert any("■······· 1/64" in line for line in text_of(screen.fleet(snapshot)))


def test_plan():
    plan = Plan(
        source=Path("template.yaml"),
        providers=(ProviderPlan(name="tea-shop", request={}),),
        functions=(FunctionPlan(name="orders", code=Path("orders"), configuration={}),),
        remarks=("Queue is skipped",),
    )
    assert text_of(screen.plan(plan)) == [
        "from template.yaml",
        "  capacity provider tea-shop",
        "  function orders, code in orders",
        "  Queue is skipped",
    ]


def fleet(ready: int, wanted: int, **throttles: int) -> FleetView:
    return FleetView(instances=3, ready=ready, wanted=wanted, in_flight=7, throttles=throttles)


class TestLoad:
    def test_rows_are_as_wide_as_their_head(self):
        tally = Tally()
        tally.close_row(0.0, fleet(3, 3))
        tally.due()
        tally.add(Verdict.ANSWERED, 51.26)
        rows = [tally.close_row(2.0, fleet(3, 5)), tally.close_row(4.0, None)]
        head, first, second = (screen.load_head(), *map(screen.load_row, rows))
        assert {len(line.plain) for line in (head, first, second)} == {len(head.plain)}
        assert len(head.plain) <= 80
        assert first.plain.split() == ["2", "0", "0", "51.3", "51.3", "0", "0", "7", "3", "→", "5", "3"]
        assert second.plain.split() == ["4", "0", "0", "-", "-", "0", "0", "-", "-", "-"]

    def test_report(self):
        tally = Tally()
        tally.close_row(0.0, fleet(3, 3))
        for number in range(1, 100):
            tally.add(Verdict.ANSWERED, float(number))
        tally.add(Verdict.THROTTLED, 0.0)
        tally.add(Verdict.LOST, 0.0, "cut off")
        tally.close_row(12.0, fleet(5, 5, ConcurrencyThrottles=1))
        shown = text_of(screen.load_report(tally, 0.2))
        assert shown[0].split() == ["99", "answered", "(98.0%)"]
        assert "throttles by cause: 1 ConcurrencyThrottles" in shown
        assert "latency, ms: p50 50.0   p90 90.0   p99 99.0   p99.9 99.0   p100 99.0" in shown
        assert "environments: 3 → 5 (12 s)" in shown
        assert "instances: 3" in shown
        assert "1 times: cut off" in shown
        assert "up to 200 ms behind" in shown[-1]

    def test_report_of_nothing(self):
        shown = text_of(screen.load_report(Tally(), 0.0))
        assert shown[0].split() == ["0", "answered", "(0.0%)"]
        assert "throttles by cause: none" in shown
