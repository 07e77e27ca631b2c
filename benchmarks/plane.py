"""Compare the plane with AWS's emulator alone: a no-op function with 8 slots, called by wrk: `python benchmarks/plane.py --help`.

Both run the same function with the same Python and the same polylambda, in turn. The emulator is the function's
environment and nothing else; the plane has its API, its router, an agent, and one environment on one instance. What one
caller waits is compared at one connection; the rate is measured at 8 connections, one for each slot.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from harness.emulator import Emulator, prepare_emulator
from harness.environment import BenchmarkError
from harness.events import event_text
from harness.report import machine
from harness.scenario import NOOP_RESULT, Subject
from harness.section import commit, write_section

SLOTS = 8
ADDED_BAR = 2.0
"""Milliseconds that plane and agent may add to the median answer."""
RATE_BAR = 1500
"""Invocations per second through the plane."""


_SUBJECT = Subject("polylambda", "polylambda", "handlers.noop")
_EMULATOR_PATH = "/2015-03-31/functions/function/invocations"
_PATIENCE = 90.0  # seconds until the plane, its instance and its environment are up


@dataclass
class Figures:
    """What wrk saw of one subject in one round."""

    rate: float
    latency: float
    """Median in milliseconds with one connection."""
    refused: int
    """Answers that were no success, at 8 connections."""


def main() -> int:
    """Measure, print, and return 0 when both bars are met."""
    arguments = _parse_arguments()
    if shutil.which("wrk") is None:
        raise BenchmarkError("wrk is not installed: on Debian and Ubuntu `apt install wrk`.")
    figures: dict[str, list[Figures]] = {"AWS's emulator": [], "plane": []}
    with tempfile.TemporaryDirectory(prefix="polylambda-bench-") as name:
        folder = Path(name)
        for number in range(arguments.rounds):
            print(f"round {number + 1} of {arguments.rounds}", file=sys.stderr, flush=True)
            with _emulator(folder) as url:
                figures["AWS's emulator"].append(_measure(url, arguments.seconds, folder))
            with _plane(folder) as url:
                figures["plane"].append(_measure(url, arguments.seconds, folder))
    added = statistics.median(b.latency - a.latency for a, b in zip(*figures.values(), strict=True))
    rate = statistics.median(each.rate for each in figures["plane"])
    text = _report(figures, added, rate, arguments)
    print(text)
    if arguments.write:
        write_section("plane.py", "The plane: a no-op function with 8 slots, called by wrk", text)
    return 0 if added < ADDED_BAR and rate >= RATE_BAR else 1


@contextlib.contextmanager
def _emulator(folder: Path) -> Iterator[str]:
    cores = frozenset(os.sched_getaffinity(0))
    with Emulator(_SUBJECT, SLOTS, folder / "emulator", cores) as emulator:
        emulator.wait_until_ready(event_text("small").encode(), NOOP_RESULT)
        yield f"http://{emulator.address}{_EMULATOR_PATH}"


@contextlib.contextmanager
def _plane(folder: Path) -> Iterator[str]:
    """Run a plane with the function that the emulator ran, folder and bootstrap and all."""
    command = [sys.executable, "-m", "polylambda.plane", "--data-dir", str(folder / "plane"), "--port", "0"]
    # As under the emulator, the function may use all of the machine.
    command += ["--cores-per-vcpu", str(len(os.sched_getaffinity(0)))]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        if not url:
            raise BenchmarkError("The plane did not start; see above.")
        _deploy(url, _function(folder))
        yield f"{url}/2015-03-31/functions/noop/invocations"
    finally:
        process.terminate()
        process.wait(60)


def _function(folder: Path) -> Path:
    task = folder / "function"
    if not task.exists():
        (emulated,) = (folder / "emulator").glob("**/bootstrap")
        shutil.copytree(emulated.parent, task)
    return task


def _deploy(url: str, task: Path) -> None:
    client: Any = boto3.client(
        "lambda", endpoint_url=url, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    names = {provider["CapacityProviderArn"] for provider in client.list_capacity_providers()["CapacityProviders"]}
    if not names:
        provider = client.create_capacity_provider(
            CapacityProviderName="bench",
            VpcConfig={"SubnetIds": ["subnet-1"], "SecurityGroupIds": []},
            PermissionsConfig={"CapacityProviderOperatorRoleArn": "arn:aws:iam::123456789012:role/operator"},
        )
        names = {provider["CapacityProvider"]["CapacityProviderArn"]}
        client.create_function(
            FunctionName="noop",
            Runtime="provided.al2023",
            Role="arn:aws:iam::123456789012:role/function",
            Handler=_SUBJECT.handler,
            Code={"S3Bucket": "local-folder", "S3Key": str(task)},
            MemorySize=2048,
            CapacityProviderConfig={
                "LambdaManagedInstancesCapacityProviderConfig": {
                    "CapacityProviderArn": names.pop(),
                    "PerExecutionEnvironmentMaxConcurrency": SLOTS,
                }
            },
        )
        client.get_waiter("function_updated_v2").wait(FunctionName="noop", WaiterConfig={"Delay": 1})
        client.publish_version(FunctionName="noop", PublishTo="LATEST_PUBLISHED")
        client.put_function_scaling_config(
            FunctionName="noop",
            Qualifier="$LATEST.PUBLISHED",
            FunctionScalingConfig={"MinExecutionEnvironments": 1, "MaxExecutionEnvironments": 1},
        )
    end = time.monotonic() + _PATIENCE
    while client.get_function_configuration(FunctionName="noop", Qualifier="$LATEST.PUBLISHED")["State"] != "Active":
        if time.monotonic() > end:
            raise BenchmarkError("The function did not become Active on the plane.")
        time.sleep(0.2)
    while True:  # until only one environment is left, as with the emulator
        scaling = client.get_function_scaling_config(FunctionName="noop", Qualifier="$LATEST.PUBLISHED")
        if scaling.get("AppliedFunctionScalingConfig") == scaling.get("RequestedFunctionScalingConfig"):
            break
        if time.monotonic() > end:
            raise BenchmarkError("The function did not come to one environment on the plane.")
        time.sleep(0.2)
    answer = client.invoke(FunctionName="noop", Payload=event_text("small").encode())
    if json.load(answer["Payload"]) != NOOP_RESULT:
        raise BenchmarkError(f"The function answers wrongly on the plane: {answer}")


def _measure(url: str, seconds: float, folder: Path) -> Figures:
    script = folder / "post.lua"
    body = json.dumps(event_text("small"))
    script.write_text(f'wrk.method = "POST"\nwrk.body = {body}\nwrk.headers["Content-Type"] = "application/json"\n')
    _wrk(url, script, SLOTS, 1)  # warm
    one = _wrk(url, script, 1, seconds)
    many = _wrk(url, script, SLOTS, seconds)
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", many)
    failed = int(refused[1]) if refused else 0
    total = re.search(r"(\d+) requests in ([\d.]+)(m?s)", many)
    if total is None:
        raise BenchmarkError(f"wrk said something unexpected:\n{many}")
    took = float(total[2]) / (1000 if total[3] == "ms" else 1)
    return Figures((int(total[1]) - failed) / took, _median_latency(one), failed)


def _wrk(url: str, script: Path, connections: int, seconds: float) -> str:
    command = ["wrk", "--latency", "-t1", f"-c{connections}", f"-d{seconds:g}s", "-s", str(script), url]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _median_latency(printed: str) -> float:
    found = re.search(r"50%\s+([\d.]+)(us|ms|s)", printed)
    if found is None:
        raise BenchmarkError(f"wrk said nothing of latencies:\n{printed}")
    return float(found[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[found[2]]


def _report(figures: dict[str, list[Figures]], added: float, rate: float, arguments: argparse.Namespace) -> str:
    lines = [
        "| | invocations/s, 8 connections | range | median answer, 1 connection (ms) | range | refused, 8 connections |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, rounds in figures.items():
        rates, latencies = sorted(each.rate for each in rounds), sorted(each.latency for each in rounds)
        lines.append(
            f"| {name} | {statistics.median(rates):,.0f} | {rates[0]:,.0f}-{rates[-1]:,.0f} | "
            f"{statistics.median(latencies):.2f} | {latencies[0]:.2f}-{latencies[-1]:.2f} | "
            f"{sum(each.refused for each in rounds)} |"
        )
    lines += [
        "",
        (
            f"- added by plane and agent to the median answer, less than {ADDED_BAR:g} ms: {added:.2f} ms, "
            f"{_verdict(added < ADDED_BAR)}"
        ),
        f"- invocations per second through the plane, at least {RATE_BAR:,}: {rate:,.0f}, {_verdict(rate >= RATE_BAR)}",
        "",
        (
            f"{dt.datetime.now(dt.UTC):%Y-%m-%d %H:%M} UTC; {arguments.rounds} rounds of {arguments.seconds:g} s; "
            f"{prepare_emulator().name}, polylambda {commit()}; {machine()}"
        ),
    ]
    return "\n".join(lines)


def _verdict(met: bool) -> str:
    return "met" if met else "**missed**"


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="each with the emulator and the plane (default: 3)")
    parser.add_argument("--seconds", type=float, default=5, help="of each measurement (default: 5)")
    parser.add_argument("--write", action="store_true", help="put the results into RESULTS.md")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BenchmarkError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
