"""Plane time and the times in logs."""

from __future__ import annotations

from polylambda.plane.clock import Clock, timestamp


def test_plane_time_begins_at_zero_and_runs_at_its_scale() -> None:
    real = [100.0]
    clock = Clock(60, source=lambda: real[0])
    assert clock.now() == 0
    real[0] += 2
    assert clock.now() == 120
    assert clock.real(300) == 5
    assert clock.plane(5) == 300


def test_a_timestamp_has_milliseconds_and_is_utc() -> None:
    assert timestamp(0) == "1970-01-01T00:00:00.000Z"
    assert timestamp(1_767_323_045.678) == "2026-01-02T03:04:05.678Z"
    assert len(timestamp()) == len("2026-01-02T03:04:05.678Z")
