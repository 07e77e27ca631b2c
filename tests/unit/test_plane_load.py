"""The load generator's schedule, its counts, and what it takes an answer for."""

from __future__ import annotations

import itertools
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polylambda.plane.arrivals import Ramp
from polylambda.plane.callers import Reply
from polylambda.plane.load import verdict_of
from polylambda.plane.tally import FleetView, Tally, Verdict, percentile, view_of

RATES = st.floats(0.5, 200)
SECONDS = st.floats(0.01, 20)


class TestRamp:
    @given(RATES, RATES, st.one_of(st.just(0.0), SECONDS), st.one_of(st.just(0.0), SECONDS))
    def test_as_many_as_the_rates_say(self, first: float, rate: float, ramp: float, hold: float):
        plan = Ramp(first=first, rate=rate, ramp=ramp, hold=hold)
        times = list(plan.times())
        assert abs(len(times) - ((first + rate) / 2 * ramp + rate * hold)) <= 1
        assert times == sorted(times)
        assert all(0 <= at <= plan.duration + 1e-6 for at in times)

    @given(RATES, RATES, SECONDS, SECONDS)
    def test_each_is_when_the_rate_is_due(self, first: float, rate: float, ramp: float, hold: float):
        plan = Ramp(first=first, rate=rate, ramp=ramp, hold=hold)
        for number, at in enumerate(plan.times()):
            assert plan.due(at) == pytest.approx(number + 0.5, rel=1e-6)

    def test_rates(self):
        plan = Ramp(first=5, rate=25, ramp=10, hold=5)
        assert [plan.rate_at(at) for at in (0, 5, 10, 15)] == [5, 15, 25, 25]
        assert plan.duration == 15

    def test_evenly_spaced(self):
        times = Ramp(first=10, rate=10, ramp=0, hold=1).times()
        assert list(times) == pytest.approx([0.05 + number / 10 for number in range(10)])

    def test_independent_callers(self):
        plan = Ramp(first=50, rate=50, ramp=0, hold=100)
        times = list(plan.times(random.Random(7)))
        assert times == list(plan.times(random.Random(7)))
        assert len(times) == pytest.approx(5000, rel=0.05)
        gaps = sorted(later - earlier for earlier, later in itertools.pairwise(times))
        assert gaps[len(gaps) // 2] == pytest.approx(math.log(2) / 50, rel=0.1)  # the median of an exponential


class TestPercentile:
    def test_nearest_rank(self):
        assert percentile([], 50) is None
        assert percentile([7.0], 99) == 7
        assert percentile([float(n) for n in range(1, 101)], 99) == 99
        assert percentile([1.0, 2.0, 3.0, 4.0], 50) == 2
        assert percentile([1.0, 2.0, 3.0], 100) == 3


def fleet(ready: int, **throttles: int) -> FleetView:
    return FleetView(instances=3, ready=ready, wanted=ready, in_flight=0, throttles=throttles)


class TestTally:
    def test_rows(self):
        tally = Tally()
        tally.close_row(0.0, fleet(3, CPUThrottles=2))
        for milliseconds in (10.0, 20.0, 30.0, 40.0):
            tally.due()
            tally.add(Verdict.ANSWERED, milliseconds)
        for verdict in (Verdict.THROTTLED, Verdict.FAILED, Verdict.LOST, Verdict.REFUSED, Verdict.UNSENT):
            tally.due()
            tally.add(verdict, 0.0, verdict.value)
        row = tally.close_row(2.0, fleet(5, CPUThrottles=3, ConcurrencyThrottles=1))
        assert (row.due, row.answered, row.p50, row.p99, row.throttled, row.failed) == (4.5, 2.0, 20.0, 40.0, 1, 4)
        empty = tally.close_row(4.0, None)
        assert (empty.due, empty.answered, empty.p50, empty.throttled) == (0, 0, None, 0)
        assert tally.total == 9
        assert set(tally.details) == {verdict.value for verdict in Verdict} - {Verdict.ANSWERED.value}

    def test_throttles_are_those_of_the_load(self):
        tally = Tally()
        assert tally.throttles == {}
        tally.close_row(0.0, fleet(3, CPUThrottles=2, MemoryThrottles=1))
        tally.close_row(1.0, fleet(3, CPUThrottles=5, MemoryThrottles=1, ConcurrencyThrottles=4))
        tally.close_row(2.0, None)
        assert tally.throttles == {"CPUThrottles": 3, "ConcurrencyThrottles": 4}

    def test_moves(self):
        tally = Tally()
        for at, ready in enumerate((3, 3, 5, 5, 3)):
            tally.close_row(float(at), fleet(ready))
        assert tally.moves("ready") == [(0.0, 3), (2.0, 5), (4.0, 3)]


def version(function: str, qualifier: str, ready: int, **throttles: int) -> dict[str, object]:
    return {
        "function": function,
        "qualifier": qualifier,
        "provider": "pool",
        "ready": ready,
        "wanted": ready + 1,
        "in_flight": 2,
        "throttles": throttles,
    }


SNAPSHOT = {
    "versions": [
        version("f", "$LATEST.PUBLISHED", 3, CPUThrottles=1),
        version("f", "1", 4, CPUThrottles=2),
        version("g", "1", 5),
    ],
    "instances": [
        *({"provider": "pool", "state": state} for state in ("Pending", "Running", "Draining", "Unhealthy")),
        {"provider": "another", "state": "Running"},
    ],
}


class TestView:
    @pytest.mark.parametrize(
        ("qualifier", "ready", "throttles"), [(None, 3, 1), ("$LATEST.PUBLISHED", 3, 1), ("1", 4, 2), ("live", 7, 3)]
    )
    def test_versions(self, qualifier: str | None, ready: int, throttles: int):
        view = view_of(SNAPSHOT, "f", qualifier)
        assert view is not None
        assert (view.ready, view.instances, view.throttles["CPUThrottles"]) == (ready, 2, throttles)

    def test_no_such_function(self):
        assert view_of(SNAPSHOT, "h") is None


@pytest.mark.parametrize(
    ("status", "headers", "verdict", "detail"),
    [
        (200, {}, Verdict.ANSWERED, ""),
        (200, {b"x-amz-function-error": b"Unhandled"}, Verdict.FAILED, "function error: body"),
        (429, {}, Verdict.THROTTLED, ""),
        (
            404,
            {b"x-amzn-errortype": b"ResourceNotFoundException"},
            Verdict.REFUSED,
            "404 ResourceNotFoundException: body",
        ),
        (502, {}, Verdict.REFUSED, "502 : body"),
    ],
)
def test_verdicts(status: int, headers: dict[bytes, bytes], verdict: Verdict, detail: str):
    assert verdict_of(Reply(status, headers, b"body")) == (verdict, detail)


def test_the_same_trouble_with_another_id_is_the_same():
    body = b'{"errorType": "Sandbox.Failure", "errorMessage": "RequestId: af357925-5b74-4d96-a190-6f6e8d5a9e99 Error: lost"}'
    assert verdict_of(Reply(200, {b"x-amz-function-error": b"Unhandled"}, body)) == (
        Verdict.FAILED,
        "function error: Sandbox.Failure: RequestId: ... Error: lost",
    )
