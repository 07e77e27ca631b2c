"""Compare ways to run one FastAPI application on Lambda: `python benchmarks/web.py --help`.

polylambda, Mangum on awslambdaric, and uvicorn behind a proxy that is a Runtime API client, as with the Lambda Web Adapter.
All run with the same Python on the same two cores as the Runtime API and the callers, in turn, round by round.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import platform
import statistics
import sys
from importlib.metadata import version

from harness.environment import BENCHMARKS, compile_program, machine
from harness.section import commit, write_section
from harness.web import Bench, Load, Subject

SLOTS = (1, 8, 64)
RATE_BAR = 1.0
"""Part of Mangum's requests per second that polylambda must reach with one slot."""
DENSITY_BAR = 5.0
"""Times Mangum's requests per second and MiB, with 64 slots."""
FIRST_BYTE_BAR = 5.0
"""Milliseconds until the first byte of a stream has arrived: 99 of 100 streams with one slot, half of them with more."""

MANGUM = Subject("Mangum on awslambdaric", "awslambdaric", "web_app.mangum")
POLYLAMBDA = Subject("polylambda", "polylambda", "web_app.handler", "web_app.streaming", "task")
HYBRID = Subject("polylambda, hybrid", "polylambda", "web_app.handler", "web_app.streaming", "hybrid")
ADAPTER = Subject("uvicorn behind a proxy")
SUBJECTS = (MANGUM, POLYLAMBDA, HYBRID, ADAPTER)

_STREAMS_NOTE = (
    "The bar is on the p99 with one slot, and with more on the median, because there the callers, the Runtime API and the "
    "runtime share the two cores, and the tail shows who waits for a core. Callers begin spread over the 100 ms that a stream "
    "takes; the streams of all rounds are counted together. Mangum sends each whole, when it has ended."
)

Loads = dict[int, dict[str, list[Load]]]
Streams = dict[int, dict[str, list[float]]]
"""Milliseconds of all rounds."""


def main() -> int:
    """Measure, print, and return 0 when all bars are met."""
    arguments = _parse_arguments()
    rounds = 1 if arguments.quick else arguments.rounds
    bench = Bench(
        compile_program(BENCHMARKS / "web_adapter.c"),
        warmup=0.5 if arguments.quick else 2.0,
        seconds=1.0 if arguments.quick else 5.0,
        streams=20 if arguments.quick else 100,
    )
    loads: Loads = {slots: {} for slots in arguments.slots}
    streams: Streams = {slots: {} for slots in arguments.slots}
    for number in range(rounds):
        print(f"round {number + 1} of {rounds}", file=sys.stderr, flush=True)
        for slots in arguments.slots:
            for subject in _subjects(slots):
                found = asyncio.run(bench.load(subject, slots))
                loads[slots].setdefault(subject.name, []).append(found)
                times = asyncio.run(bench.first_bytes(subject, slots))
                streams[slots].setdefault(subject.name, []).extend(times)
    bars = _bars(loads, streams)
    text = _report(loads, streams, bars, arguments, rounds)
    print(text)
    if arguments.write:
        write_section("web.py", "Web: one FastAPI application, three ways to run it", text)
    return 0 if all(met for _, _, met in bars) else 1


def _subjects(slots: int) -> tuple[Subject, ...]:
    return SUBJECTS if slots > 1 else tuple(each for each in SUBJECTS if each is not HYBRID)


def _median(loads: list[Load], name: str) -> float:
    return statistics.median(getattr(load, name) for load in loads)


def _ratio(own: list[Load], base: list[Load], name: str) -> float:
    """The median over the rounds of the ratio to Mangum in the same round."""
    return statistics.median(getattr(a, name) / getattr(b, name) for a, b in zip(own, base, strict=True))


def _p99(times: list[float]) -> float:
    return statistics.quantiles(times, n=100, method="inclusive")[98]


def _bars(loads: Loads, streams: Streams) -> list[tuple[str, str, bool]]:
    """Each bar, what was found, and whether it was met."""
    bars: list[tuple[str, str, bool]] = []
    if 1 in loads:
        rate = _ratio(loads[1][POLYLAMBDA.name], loads[1][MANGUM.name], "rate")
        bars.append((f"one slot: rate at least {RATE_BAR:g} times Mangum's", f"{rate:.2f}", rate >= RATE_BAR))
    if 64 in loads:
        density = _ratio(loads[64][POLYLAMBDA.name], loads[64][MANGUM.name], "rate_per_mib")
        text = f"64 slots: rate per MiB at least {DENSITY_BAR:g} times Mangum's"
        bars.append((text, f"{density:.1f}", density >= DENSITY_BAR))
    for slots, found in streams.items():
        if slots == 1:
            text, first = "one slot: p99", _p99(found[POLYLAMBDA.name])
        else:
            text, first = f"{slots} slots: median", statistics.median(found[POLYLAMBDA.name])
        text += f" of the first byte of a stream at most {FIRST_BYTE_BAR:g} ms after the application's first send"
        bars.append((text, f"{first:.2f} ms", first <= FIRST_BYTE_BAR))
    return bars


def _report(
    loads: Loads,
    streams: Streams,
    bars: list[tuple[str, str, bool]],
    arguments: argparse.Namespace,
    rounds: int,
) -> str:
    now = dt.datetime.now(dt.UTC)
    packages = "fastapi", "starlette", "mangum", "awslambdaric", "uvicorn", "uvloop"
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    conditions = (
        f"Measured {now:%Y-%m-%d}, commit `{commit()}`, `python benchmarks/web.py`; {machine()}; CPython "
        f"{platform.python_version()}, {versions}; medians of {rounds} rounds; two cores for everything, callers and Runtime API "
        "included. The proxy is a stand-in for the Lambda Web Adapter, in C, which does less than the adapter."
    )
    lines = [
        conditions,
        "",
        "| Bar | Found | |",
        "| --- | ---: | --- |",
        *(f"| {text} | {found} | {'met' if met else '**missed**'} |" for text, found, met in bars),
        "",
    ]
    for slots, found in loads.items():
        base = found[MANGUM.name]
        lines += [
            f"### {slots} {'slot' if slots == 1 else 'slots'}, {slots} concurrent",
            "",
            "| | requests/s | ratio | p50 ms | p99 ms | CPU each µs | PSS MiB | requests/s per MiB | ratio |",
            "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        ]
        for name, own in found.items():
            rate, p50, p99, cpu, pss, density = (
                _median(own, metric) for metric in ("rate", "p50", "p99", "cpu", "pss", "rate_per_mib")
            )
            lines.append(
                f"| {name} | {rate:,.0f} | {_ratio(own, base, 'rate'):.2f} | {p50:.2f} | {p99:.2f} | {cpu:,.0f} | {pss:,.0f} | "
                f"{density:.2f} | {_ratio(own, base, 'rate_per_mib'):.1f} |"
            )
        lines.append("")
    lines += [
        "### First byte of a stream, from the application's first send",
        "",
        _STREAMS_NOTE,
        "",
        "| | slots | streams | median ms | p99 ms | longest ms |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for slots, own in streams.items():
        for name, times in own.items():
            lines.append(
                f"| {name} | {slots} | {len(times):,} | {statistics.median(times):.2f} | {_p99(times):.2f} | "
                f"{max(times):.2f} |"
            )
    return "\n".join(lines)


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="rounds of all subjects in turn (default: 3)")
    parser.add_argument(
        "--slots", type=int, action="append", help="slots and callers; may be repeated (default: 1, 8, 64)"
    )
    parser.add_argument("--quick", action="store_true", help="one short round: a look while working, about a minute")
    parser.add_argument("--write", action="store_true", help="put the result into RESULTS.md")
    arguments = parser.parse_args()
    arguments.slots = arguments.slots or list(SLOTS)
    return arguments


if __name__ == "__main__":
    raise SystemExit(main())
