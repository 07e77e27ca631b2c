"""CloudWatch's metrics in Prometheus' format."""

from __future__ import annotations

import re

from polylambda.plane.metrics import METRICS, Metrics

_LINE = re.compile(r'[A-Za-z_:][\w:]*(\{[a-zA-Z_]\w*="([^"\\\n]|\\.)*"(,[a-zA-Z_]\w*="([^"\\\n]|\\.)*")*\})? [\d.e+-]+')


def test_counters_are_there_once_they_counted() -> None:
    metrics = Metrics()
    assert metrics.text() == "\n"
    figures = metrics.function("f", "1")
    figures.count("Invocations")
    figures.count("Invocations", 2)
    assert metrics.function("f", "1") is figures
    assert figures.total("Invocations") == 3
    assert figures.total("Errors") == 0
    text = metrics.text()
    assert "# TYPE Invocations counter\n" in text
    assert 'Invocations{FunctionName="f",Resource="f:1",ExecutedVersion="1"} 3\n' in text
    assert "Errors" not in text


def test_durations_are_cumulative_histograms() -> None:
    metrics = Metrics()
    figures = metrics.function("f", "1")
    for milliseconds in (0.5, 1, 1.5, 70_000, 1e9):
        figures.duration.add(milliseconds)
    lines = metrics.text().splitlines()
    counts = {
        match[1]: int(line.rpartition(" ")[2]) for line in lines if (match := re.search(r'_bucket.*le="([^"]+)"', line))
    }
    assert (counts["1"], counts["2"], counts["60000"], counts["900000"], counts["+Inf"]) == (2, 3, 3, 4, 5)
    assert list(counts.values()) == sorted(counts.values())
    assert any(line.startswith("Duration_count{") and line.endswith(" 5") for line in lines)
    assert any(line.startswith("Duration_sum{") for line in lines)


def test_gauges_are_looked_up_when_somebody_asks() -> None:
    values = [1.0]
    metrics = Metrics(lambda: {"vCPUAvailable": {(("CapacityProviderName", "pool"),): values[0]}})
    assert 'vCPUAvailable{CapacityProviderName="pool"} 1.0\n' in metrics.text()
    values[0] = 2.5
    assert 'vCPUAvailable{CapacityProviderName="pool"} 2.5\n' in metrics.text()


def test_every_line_is_one_that_prometheus_reads() -> None:
    everything = {name: {(("Name", 'a"b\\c\nd'),): 1.5} for name in METRICS}
    metrics = Metrics(lambda: everything)
    figures = metrics.function("f", "$LATEST.PUBLISHED")
    for name in METRICS:
        figures.count(name)
    figures.duration.add(3)
    figures.event_age.add(3)
    lines = metrics.text().splitlines()
    assert len(lines) > 40
    for line in lines:
        assert line.startswith("# ") or _LINE.fullmatch(line), line


def test_there_is_no_metric_that_cloudwatch_does_not_have() -> None:
    assert {"ConcurrencyThrottles", "CPUThrottles", "MemoryThrottles", "DiskThrottles", "vCPUAllocated"} <= set(METRICS)
    assert all(re.fullmatch(r"v?[A-Z][A-Za-z0-9]+", name) for name in METRICS)
