"""Put a ramp of load on a plane, and on a simulated one beside it: `python benchmarks/ramp.py --help`.

A function that waits for 50 ms is called from 5 to 200 times a second, on a schedule that waits for nobody. Plane time
goes faster than the clock, so that scaling in is seen as well. The simulation gets the same ramp in plane time, and says
what the same router and scaler decide where nothing is measured late and no machine is busy.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import datetime as dt
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.environment import BENCHMARKS, BenchmarkError, machine
from harness.section import commit, write_section
from rich.console import Console

from polylambda import loop
from polylambda.plane.arrivals import Ramp
from polylambda.plane.contact import Contact, contact
from polylambda.plane.deploy import Deployer, client_of
from polylambda.plane.load import Load, LoadOptions
from polylambda.plane.plan import FunctionPlan, Plan, ProviderPlan
from polylambda.plane.screen import load_head, load_row
from polylambda.plane.simulation.engine import Result, Sample, simulate
from polylambda.plane.simulation.fleet import Delays
from polylambda.plane.simulation.scenarios import ramp
from polylambda.plane.tally import Row, Tally, Verdict, percentile, view_of

FUNCTION = "query"
FIRST, LAST = 5, 200  # invocations a second
WAITS = 0.05  # seconds of an invocation
SLOTS = 2
MINIMUM = 3  # environments
START = 0.5  # seconds that an agent takes to start on a free machine, and an environment
EVERY = 3.0  # seconds that a row of the table is about
CALM = 2.0  # seconds without a wish for more or fewer environments before the load begins
PATIENCE = 60.0  # seconds until the function is up, and the fleet calm
ACCOUNT = "arn:aws:iam::123456789012:role"
COLUMNS = (
    *("second", "due/s", "answered/s", "p50 ms", "p99 ms", "throttled"),
    *("ready", "wanted", "instances", "simulated: ready", "wanted", "instances"),
)


@dataclass(frozen=True)
class Run:
    """What came of a ramp, on the plane and in the simulation."""

    tally: Tally
    late: float
    held: float
    simulated: Result


def main() -> int:
    """Run, print, and return 0 when every invocation was answered or refused with a 429."""
    arguments = _parse_arguments()
    shape = Ramp(first=FIRST, rate=LAST, ramp=arguments.ramp, hold=arguments.hold)
    options = LoadOptions(
        function=FUNCTION, event=b"{}", ramp=shape, interval=EVERY, settle=arguments.settle, timeout=20.0
    )
    with tempfile.TemporaryDirectory(prefix="polylambda-bench-") as name, _plane(Path(name), arguments) as there:
        screen = Console(stderr=True, highlight=False, soft_wrap=True)
        screen.print(load_head())
        load = Load(options, there, lambda row: screen.print(load_row(row)))
        with asyncio.Runner(loop_factory=loop.factory()) as runner:
            runner.run(load.run())
    # A slot is taken for as long as an answer takes, which is a little more than the function waits.
    held = (percentile(sorted(load.tally.latencies), 50) or WAITS * 1000) / 1000
    run = Run(load.tally, load.late, held, _simulate(shape, held, arguments))
    text = _report(run, arguments)
    print(text)
    if arguments.write:
        write_section("ramp.py", "The plane under a ramp, and the simulation of it", text)
    counts = run.tally.counts
    return 0 if counts[Verdict.ANSWERED] + counts[Verdict.THROTTLED] == run.tally.total else 1


@contextlib.contextmanager
def _plane(folder: Path, arguments: argparse.Namespace) -> Iterator[Contact]:
    """Run a plane with the function on it, as small as it may be."""
    command = [sys.executable, "-m", "polylambda.plane", "--data-dir", str(folder), "--port", "0"]
    command += ["--time-scale", str(arguments.time_scale)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        if not process.stdout.readline():
            raise BenchmarkError("The plane did not start; see above.")
        there = contact(folder)
        deployer = Deployer(client_of(there.url, "us-east-1"), lambda _: None)
        (deployed,) = deployer.apply(_plan())
        end = time.monotonic() + PATIENCE
        why_not = deployer.wait(deployed, give_up=lambda: time.monotonic() > end)
        if why_not or not _calm(there, end):
            raise BenchmarkError(f"The function does not come up on the plane: {why_not or 'it takes too long'}")
        yield there
    finally:
        process.terminate()
        process.wait(60)


def _plan() -> Plan:
    provider = ProviderPlan(
        name="ramp",
        request={
            "CapacityProviderName": "ramp",
            "VpcConfig": {"SubnetIds": ["subnet-1", "subnet-2", "subnet-3"], "SecurityGroupIds": []},
            "PermissionsConfig": {"CapacityProviderOperatorRoleArn": f"{ACCOUNT}/operator"},
            # As in the simulation.
            "InstanceRequirements": {"Architectures": ["arm64"], "AllowedInstanceTypes": ["m7g.*"]},
        },
    )
    managed = {
        "CapacityProviderArn": "arn:aws:lambda:us-east-1:123456789012:capacity-provider:ramp",
        "PerExecutionEnvironmentMaxConcurrency": SLOTS,
    }
    function = FunctionPlan(
        name=FUNCTION,
        code=BENCHMARKS,
        configuration={
            "Runtime": "python3.13",
            "Role": f"{ACCOUNT}/function",
            "Handler": "handlers_io_async.query",
            "MemorySize": 2048,
            "Architectures": ["arm64"],
            "CapacityProviderConfig": {"LambdaManagedInstancesCapacityProviderConfig": managed},
        },
        scaling={"MinExecutionEnvironments": MINIMUM, "MaxExecutionEnvironments": 100},
    )
    return Plan(source=BENCHMARKS, providers=(provider,), functions=(function,))


def _calm(there: Contact, end: float) -> bool:
    """Wait until the fleet has been at its minimum for a while: starting is a load as well."""
    since = time.monotonic()
    while time.monotonic() < end:
        view = view_of(there.fleet(), FUNCTION)
        if view is None or not view.wanted == view.ready == view.instances == MINIMUM:
            since = time.monotonic()
        if time.monotonic() - since > CALM:
            return True
        time.sleep(0.2)
    return False


def _simulate(shape: Ramp, held: float, arguments: argparse.Namespace) -> Result:
    scale: float = arguments.time_scale
    scenario = ramp(
        first=FIRST,
        last=LAST,
        seconds=shape.ramp * scale,
        hold=shape.hold * scale,
        after=arguments.settle * scale,
        slots=SLOTS,
        time=held,
        delays=Delays(launch=START * scale, init=START * scale),
        minimum=MINIMUM,
    )
    return simulate(scenario)


# The report


def _report(run: Run, arguments: argparse.Namespace) -> str:
    tally, simulated = run.tally, run.simulated
    ordered = sorted(tally.latencies)
    shares = ", ".join(f"p{share:g} {_milliseconds(percentile(ordered, share))}" for share in (50, 99, 99.9))
    bad = {verdict.value: tally.counts[verdict] for verdict in Verdict if verdict is not Verdict.ANSWERED}
    samples = [_at(simulated, row.at * arguments.time_scale) for row in tally.rows]
    lines = [
        (
            f"From {FIRST} to {LAST} invocations a second within {arguments.ramp:g} s, that for {arguments.hold:g} s, then "
            f"nothing; a function that waits {WAITS * 1000:g} ms, with {SLOTS} slots an environment. Plane time goes "
            f"{arguments.time_scale:g} times as fast as the clock. A slot is taken for as long as the plane's answer takes: "
            f"{run.held * 1000:.1f} ms in the simulation too, the median of what was measured."
        ),
        "",
        f"- invocations: {tally.total:,}; answered {tally.counts[Verdict.ANSWERED] / max(tally.total, 1):.2%}",
        f"- latency of those that were answered, ms: {shares}",
        f"- throttles by cause: {_counts(tally.throttles)}; in the simulation {_counts(simulated.throttles)}",
        f"- others without a result: {_counts({name: count for name, count in bad.items() if name != 'throttled'})}",
        (
            f"- environments at the height: {max(ready for _, ready in tally.moves('ready'))}; in the simulation "
            f"{max(sample.environments for sample in simulated.samples)}"
        ),
        (
            f"- instances at the height: {max(count for _, count in tally.moves('instances'))}; in the simulation "
            f"{max(sample.instances for sample in simulated.samples)}"
        ),
        f"- the generator was behind its schedule by up to {run.late * 1000:.0f} ms",
        "",
        f"| {' | '.join(COLUMNS)} |",
        "| ---: " * len(COLUMNS) + "|",
        *(_line(row, sample) for row, sample in zip(tally.rows, samples, strict=True)),
        "",
        (
            f"{dt.datetime.now(dt.UTC):%Y-%m-%d %H:%M} UTC; one run; polylambda {commit()}; {machine()}, which ran the "
            "load generator, the plane and the fleet"
        ),
    ]
    return "\n".join(lines)


def _line(row: Row, sample: Sample) -> str:
    view = row.fleet
    real: Sequence[object] = ("-",) * 3 if view is None else (view.ready, view.wanted, view.instances)
    cells = [
        f"{row.at:.0f}",
        f"{row.due:.0f}",
        f"{row.answered:.0f}",
        _milliseconds(row.p50),
        _milliseconds(row.p99),
        row.throttled,
        *real,
        sample.environments,
        sample.wanted,
        sample.instances + sample.launching,
    ]
    return f"| {' | '.join(map(str, cells))} |"


def _at(result: Result, at: float) -> Sample:
    """The simulated fleet at a plane second."""
    return min(result.samples, key=lambda sample: abs(sample.at - at))


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in counts.items() if count) or "none"


def _milliseconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--time-scale", type=float, default=20, help="plane seconds in a second (default: 20)")
    parser.add_argument("--ramp", type=float, default=30, help="seconds from the first rate to the last (default: 30)")
    parser.add_argument("--hold", type=float, default=15, help="seconds at the last rate (default: 15)")
    parser.add_argument("--settle", type=float, default=60, help="seconds that are watched after that (default: 60)")
    parser.add_argument("--write", action="store_true", help="put the results into RESULTS.md")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BenchmarkError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
