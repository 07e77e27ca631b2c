"""What came of a simulation, as text and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from polylambda.plane.simulation.flow import Flow

if TYPE_CHECKING:
    from polylambda.plane.simulation.engine import Result

_ROWS = 24


def table(result: Result) -> str:
    """Return the fleet over time in about so many rows as a day has hours, and the sums."""
    samples = result.samples
    every = max(1, -(-len(samples) // _ROWS))
    lines = [
        f"{'time':>8} {'inv/s':>9} {'throttled':>9} {'instances':>9} {'ready':>7} {'wanted':>7} {'slots':>6} {'cpu':>6}"
    ]
    for start in range(0, len(samples), every):
        part = samples[start : start + every]
        last = part[-1]
        came = sum(sample.invocations for sample in part)
        refused = sum(sum(sample.throttles.values()) for sample in part)
        seconds = sum(sample.seconds for sample in part)
        lines.append(
            f"{_time(last.at):>8} {came / seconds:>9,.1f} {refused:>9,} {last.instances:>9,} {last.environments:>7,} "
            f"{last.wanted:>7,} {last.slots_in_use:>6.0%} {last.cpu:>6.0%}"
        )
    return "\n".join([*lines, "", *_sums(result)])


def document(result: Result) -> dict[str, Any]:
    """Return all of it as JSON has it."""
    return {
        "scenario": result.scenario.name,
        "about": result.scenario.about,
        "invocations": result.invocations,
        "throttles": dict(result.throttles),
        "lost": result.lost,
        "instance_hours": result.instance_hours,
        "vcpu_hours": result.vcpu_hours,
        "launched": result.launched,
        "started": result.started,
        "deaths": result.deaths,
        "wanted": result.wanted,
        "samples": [{name: getattr(sample, name) for name in sample.__slots__} for sample in result.samples],
    }


def _sums(result: Result) -> list[str]:
    throttled = sum(result.throttles.values())
    causes = ", ".join(f"{count:,} {cause}" for cause, count in result.throttles.items()) or "none"
    peak = max(sample.instances for sample in result.samples)
    lines = [
        f"invocations   {result.invocations:,}",
        f"throttled     {throttled:,} ({throttled / max(result.invocations, 1):.4%}): {causes}",
        f"lost          {result.lost:,}, with {result.deaths:,} instances that died",
        f"instances     {peak:,} at the height, {result.launched:,} launched, {result.instance_hours:,.1f} instance hours",
        f"environments  {max(sample.environments for sample in result.samples):,} at the height, {result.started:,} started",
    ]
    load = result.load
    if isinstance(load, Flow) and load.routed:
        lines.append(
            f"router        {load.routed:,} arrivals routed as a sample: {load.unrouted:,} refused, "
            f"{load.expected:,.1f} expected; fullest environment {max(load.uneven):.0%} of its slots above the mean"
        )
    return lines


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"
