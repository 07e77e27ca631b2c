"""CloudWatch's metrics of Lambda, kept as counters and gauges and written in Prometheus' text format. No I/O.

Names and dimensions are AWS's: https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html. The format is
https://prometheus.io/docs/instrumenting/exposition_formats/.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

Dimensions = tuple[tuple[str, str], ...]
"""Names and values of what a figure is about, such as FunctionName."""


class Kind(Enum):
    """What a figure does over time."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


DURATION_BOUNDS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 60_000, 900_000)
"""Upper bounds of the buckets of durations, in milliseconds."""

METRICS: dict[str, tuple[Kind, str]] = {
    "Invocations": (Kind.COUNTER, "Invocations that a function ran, whatever came of them."),
    "Errors": (Kind.COUNTER, "Invocations that ended in an error."),
    "Throttles": (Kind.COUNTER, "Invocations that nobody could take."),
    "ConcurrencyThrottles": (Kind.COUNTER, "Throttles because all slots were in use."),
    "CPUThrottles": (Kind.COUNTER, "Throttles because environments were short of CPU."),
    "MemoryThrottles": (Kind.COUNTER, "Throttles because environments were short of memory."),
    "DiskThrottles": (Kind.COUNTER, "Throttles because environments were short of disk."),
    "Duration": (Kind.HISTOGRAM, "Milliseconds from the routing of an invocation to the end of its answer."),
    "AsyncEventsReceived": (Kind.COUNTER, "Events taken into the queue."),
    "AsyncEventAge": (Kind.HISTOGRAM, "Milliseconds from the acceptance of an event to its invocation."),
    "AsyncEventsDropped": (Kind.COUNTER, "Events given up."),
    "DestinationDeliveryFailures": (Kind.COUNTER, "Records that no destination could be given."),
    "UrlRequestCount": (Kind.COUNTER, "Requests to a function URL."),
    "Url4xxCount": (Kind.COUNTER, "Requests to a function URL that were answered with a status of 400 to 499."),
    "Url5xxCount": (Kind.COUNTER, "Requests to a function URL that were answered with a status of 500 or more."),
    "UrlRequestLatency": (Kind.HISTOGRAM, "Milliseconds from a request to a function URL to the end of its answer."),
    "ExecutionEnvironmentConcurrency": (Kind.GAUGE, "The most slots in use in one environment."),
    "ExecutionEnvironmentConcurrencyLimit": (Kind.GAUGE, "Slots of an environment."),
    "ExecutionEnvironmentCPUUtilization": (Kind.GAUGE, "Percent of their vCPUs that environments use, on average."),
    "ExecutionEnvironmentMemoryUtilization": (Kind.GAUGE, "Percent of their memory that environments use, on average."),
    "CPUUtilization": (Kind.GAUGE, "Percent of their vCPUs that instances use, on average."),
    "MemoryUtilization": (Kind.GAUGE, "Percent of their memory that instances use, on average."),
    "vCPUAvailable": (Kind.GAUGE, "vCPUs of the instances."),
    "vCPUAllocated": (Kind.GAUGE, "vCPUs of the environments on them."),
    "MemoryAvailable": (Kind.GAUGE, "Bytes of memory of the instances."),
    "MemoryAllocated": (Kind.GAUGE, "Bytes of memory of the environments on them."),
}
"""Every metric there is: its kind and what it says."""


@dataclass(slots=True)
class Histogram:
    """How often a value fell into which bucket, with the sum of all values."""

    buckets: list[int] = field(default_factory=lambda: [0] * (len(DURATION_BOUNDS) + 1))
    total: float = 0.0

    def add(self, value: float) -> None:
        """Take in a value."""
        self.buckets[bisect_left(DURATION_BOUNDS, value)] += 1
        self.total += value


class FunctionMetrics:
    """The figures of one version of a function: cheap to count up, one object a version."""

    __slots__ = ("counts", "dimensions", "duration", "event_age", "url_latency")

    def __init__(self, dimensions: Dimensions) -> None:
        self.dimensions = dimensions
        self.counts: dict[str, int] = {}
        self.duration = Histogram()
        self.event_age = Histogram()
        self.url_latency = Histogram()

    def histogram(self, metric: str) -> Histogram | None:
        """Return the values of a metric that is a histogram."""
        return {
            "Duration": self.duration,
            "AsyncEventAge": self.event_age,
            "UrlRequestLatency": self.url_latency,
        }.get(metric)

    def count(self, metric: str, by: int = 1) -> None:
        """Count a counter of this version up."""
        self.counts[metric] = self.counts.get(metric, 0) + by

    def total(self, metric: str) -> int:
        """Return how far a counter is."""
        return self.counts.get(metric, 0)


Gauges = dict[str, dict[Dimensions, float]]
"""Metric, and a value for each combination of its dimensions."""


class Metrics:
    """All figures of a plane: `text()` is what a scraper gets."""

    def __init__(self, gauges: Callable[[], Gauges] = dict) -> None:
        """Make figures that are zero; `gauges` gives those that are looked up when somebody asks."""
        self._functions: dict[tuple[str, str], FunctionMetrics] = {}
        self._gauges = gauges

    def function(self, name: str, version: str) -> FunctionMetrics:
        """Return the figures of a version."""
        found = self._functions.get((name, version))
        if found is None:
            dimensions = (("FunctionName", name), ("Resource", f"{name}:{version}"), ("ExecutedVersion", version))
            found = self._functions[name, version] = FunctionMetrics(dimensions)
        return found

    def text(self) -> str:
        """Return all figures in Prometheus' text format."""
        gauges = self._gauges()
        lines: list[str] = []
        for name, (kind, meaning) in METRICS.items():
            samples = list(self._samples(name, kind, gauges))
            if samples:
                lines += [f"# HELP {name} {meaning}", f"# TYPE {name} {kind.value}", *samples]
        return "\n".join(lines) + "\n"

    def _samples(self, name: str, kind: Kind, gauges: Mapping[str, Mapping[Dimensions, float]]) -> Iterator[str]:
        if kind is Kind.GAUGE:
            for dimensions, value in gauges.get(name, {}).items():
                yield f"{name}{_labels(dimensions)} {value!r}"
            return
        for function in self._functions.values():
            if kind is Kind.COUNTER:
                if name in function.counts:
                    yield f"{name}{_labels(function.dimensions)} {function.counts[name]}"
            else:
                histogram = function.histogram(name)
                if histogram is not None and any(histogram.buckets):
                    yield from _histogram(name, function.dimensions, histogram)


def _histogram(name: str, dimensions: Dimensions, histogram: Histogram) -> Iterator[str]:
    count = 0
    for bound, number in zip((*DURATION_BOUNDS, "+Inf"), histogram.buckets, strict=True):
        count += number
        yield f"{name}_bucket{_labels((*dimensions, ('le', str(bound))))} {count}"
    yield f"{name}_sum{_labels(dimensions)} {histogram.total:.3f}"
    yield f"{name}_count{_labels(dimensions)} {count}"


def _labels(dimensions: Iterable[tuple[str, str]]) -> str:
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in dimensions) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
