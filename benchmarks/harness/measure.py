"""One measured run of a subject, and rounds of them in turn."""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.emulator import Emulator
from harness.environment import BENCHMARKS, CHECKOUT, BenchmarkError, Cores, compile_program
from harness.load import call
from harness.processes import Runtime, RuntimeApi, pinned

if TYPE_CHECKING:
    from harness.environment import Interpreter
    from harness.scenario import Scenario, Subject

_PATIENCE = 90  # seconds beyond what a phase is meant to take
ENDLESS = 1e6
"""The ratio of something to nothing, which JSON could not keep otherwise."""
_TURNS = 60  # invocations of each slot before memory is read: with fewer, awslambdaric has not all of its own yet

Sample = dict[str, float]
"""What one run of one subject showed, by metric:

- `start`: milliseconds from before the process is made to its first poll reaching the server;
- `ready`: milliseconds until all its slots poll, when it has several;
- `start_cpu`: milliseconds of CPU until the first poll, when nothing but the start is measured;
- `rate`: invocations per second;
- `pace`: the same, as a part of what the slots could do if nothing but the handler took time;
- `cpu`: microseconds of CPU, user and system, of the process tree per invocation;
- `pss`: MiB, proportional set size of the process tree, at rest after the load;
- `peak`: MiB, the sum of the peak resident set sizes;
- `refused`: invocations that were refused, per 100 that were answered.
"""


@dataclass(frozen=True)
class Effort:
    """How long and how often to measure."""

    rounds: int
    warmup: float
    seconds: float
    starts: int

    def rounds_of(self, scenario: Scenario) -> int:
        """Return how often each subject is measured."""
        return self.starts if scenario.kind == "starts" else self.rounds

    def seconds_of(self, scenario: Scenario) -> float:
        """Return how long a round works; 0 when something else bounds it."""
        return self.seconds * scenario.stretch if scenario.kind in ("load", "calls") else 0.0


FULL = {
    "single": Effort(rounds=5, warmup=0.4, seconds=2.0, starts=40),
    "concurrent": Effort(rounds=7, warmup=0.5, seconds=1.5, starts=5),
}
QUICK = {
    "single": Effort(rounds=3, warmup=0.2, seconds=0.4, starts=7),
    "concurrent": Effort(rounds=1, warmup=0.3, seconds=0.5, starts=2),
}


@dataclass(frozen=True)
class Figure:
    """A metric over all rounds, and its ratio to the baseline of the same round: medians, with the extremes."""

    median: float
    low: float
    high: float
    ratio: float
    ratio_low: float
    ratio_high: float

    @classmethod
    def of(cls, values: list[float], baseline: list[float]) -> Figure:
        ratios = [_ratio(value, base) for value, base in zip(values, baseline, strict=True)]
        return cls(
            statistics.median(values), min(values), max(values), statistics.median(ratios), min(ratios), max(ratios)
        )


def _ratio(value: float, base: float) -> float:
    """Return a ratio; that of nothing to nothing is 0."""
    if base:
        return value / base
    return ENDLESS if value else 0.0


class Bench:
    """Measures scenarios with one interpreter, on chosen cores."""

    def __init__(self, interpreter: Interpreter, cores: Cores, effort: Effort) -> None:
        self._interpreter = interpreter
        self._cores = cores
        self._effort = effort
        self._server = compile_program(BENCHMARKS / "server.c")
        self._client = compile_program(BENCHMARKS / "client.c")

    def measure(self, scenario: Scenario) -> dict[str, dict[str, Figure]]:
        """Run all subjects in turn, round by round; return subject -> metric -> figure."""
        samples: dict[str, list[Sample]] = {subject.name: [] for subject in scenario.subjects}
        rounds = self._effort.rounds_of(scenario)
        with tempfile.TemporaryDirectory(prefix="polylambda-benchmark-") as name:
            folder = Path(name)
            (folder / "event").write_text(scenario.event_text(), encoding="utf-8")
            if scenario.kind == "starts":  # byte code and page cache: as in any start but the very first
                for subject in scenario.subjects:
                    self._run(scenario, subject, folder)
            for number in range(rounds):
                print(f"\r{scenario.name}: round {number + 1} of {rounds} ", end="", file=sys.stderr, flush=True)
                for subject in scenario.subjects:
                    samples[subject.name].append(self._run(scenario, subject, folder))
        print(file=sys.stderr)
        return {subject.name: _figures(scenario, subject, samples) for subject in scenario.subjects}

    def _run(self, scenario: Scenario, subject: Subject, folder: Path) -> Sample:
        try:
            if scenario.kind == "calls":
                return self._called(scenario, subject, folder)
            sample = self._measured(scenario, subject, folder)
            _check_answer(scenario, (folder / "answer").read_bytes())
        except BenchmarkError as error:
            raise BenchmarkError(f"{scenario.name}, {subject.name}: {error}") from error
        return sample

    def _measured(self, scenario: Scenario, subject: Subject, folder: Path) -> Sample:
        """Start server and runtime, let them warm up, measure, end both."""
        slots = scenario.slots_of(subject)
        warmup, seconds = self._effort.warmup, self._effort.seconds_of(scenario)
        bound = ["--seconds", str(seconds)]
        if scenario.kind != "load":
            warmup = seconds = 0.0
            bound = ["--count", "1" if scenario.kind == "starts" else str(_TURNS * slots)]
        options = ["--event", str(folder / "event"), "--answer", str(folder / "answer"), "--slots", str(slots)]
        options += ["--warmup", str(warmup), *bound, "--spin", "1" if self._cores.apart else "0"]
        with RuntimeApi(self._server, options, self._cores.server) as api:
            command, environment = self._command(subject, slots, api.address)
            with Runtime(command, environment, BENCHMARKS, self._cores.runtime) as runtime:
                first_next = api.expect("first_next", _PATIENCE, runtime)["monotonic_ns"]
                start_cpu = runtime.cpu_ns() if scenario.kind == "starts" else 0
                warm = api.expect("warm", warmup + _PATIENCE, runtime)
                cpu_before = runtime.cpu_ns()
                api.go_on()
                done = api.expect("done", seconds + _PATIENCE, runtime)
                cpu_ns = runtime.cpu_ns() - cpu_before
                pss, peak = runtime.memory_kib()
        rate = done["invocations"] / done["elapsed_ns"] * 1e9
        sample = {
            "start": (first_next - runtime.started_ns) / 1e6,
            "start_cpu": start_cpu / 1e6,
            "rate": rate,
            "cpu": cpu_ns / done["invocations"] / 1e3,
            "pss": pss / 1024,
            "peak": peak / 1024,
        }
        if slots > 1:
            sample["ready"] = (warm["ready_ns"] - runtime.started_ns) / 1e6
        if scenario.handler_seconds:
            sample["pace"] = rate * scenario.handler_seconds / slots
        return sample

    def _called(self, scenario: Scenario, subject: Subject, folder: Path) -> Sample:
        """Start AWS's emulator with the runtime, and call it with as many callers as it has slots."""
        slots = scenario.slots_of(subject)
        with (
            pinned(self._cores.runtime),
            Emulator(subject, slots, folder, self._cores.runtime) as emulator,
        ):
            event = scenario.event_text().encode()
            emulator.wait_until_ready(event, scenario.expected_result())
            calls = call(emulator.address, event, slots, seconds=self._effort.seconds_of(scenario))
            emulator.check(calls, scenario.expected_result())
        return {
            "rate": calls.answered / calls.seconds,
            "pace": calls.answered / calls.seconds * scenario.handler_seconds / slots,
            "refused": 100 * calls.refused / calls.answered,
        }

    def _command(self, subject: Subject, slots: int, address: str) -> tuple[list[str], dict[str, str]]:
        environment = {
            "AWS_LAMBDA_RUNTIME_API": address,
            "AWS_LAMBDA_FUNCTION_NAME": "benchmark",
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1769",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/benchmark",
            "AWS_LAMBDA_LOG_STREAM_NAME": "2026/01/01/[$LATEST]5eed5eed5eed5eed5eed5eed5eed5eed",
            "AWS_REGION": "eu-west-1",
            "LAMBDA_TASK_ROOT": str(BENCHMARKS),
            "LANG": "C.UTF-8",
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": str(CHECKOUT / "src"),
            "TZ": ":UTC",
        }
        if slots > 1:
            environment |= {
                "AWS_LAMBDA_INITIALIZATION_TYPE": "lambda-managed-instances",
                "AWS_LAMBDA_MAX_CONCURRENCY": str(slots),
            }
        if subject.runtime == "client":
            return [str(self._client), *subject.handler.split()], environment
        python = str(self._interpreter.executable)
        if subject.runtime == "program":
            return [python, "program.py", *subject.handler.split()], environment | subject.environment
        command = [python, "-m", subject.runtime, subject.handler]
        return command, environment | {"_HANDLER": subject.handler} | subject.environment


def _figures(scenario: Scenario, subject: Subject, samples: dict[str, list[Sample]]) -> dict[str, Figure]:
    """Return metric -> figure of a subject."""
    own, base = samples[subject.name], samples[scenario.against(subject)]
    figures = {
        metric: Figure.of([sample[metric] for sample in own], [sample.get(metric, 0.0) for sample in base])
        for metric in own[0]
    }
    if subject.against and "pss" in own[0]:
        slots = scenario.slots_of(subject)
        fewer = next(scenario.slots_of(other) for other in scenario.subjects if other.name == subject.against)
        if slots > fewer:  # KiB that each more slot takes
            added = [(s["pss"] - b["pss"]) * 1024 / (slots - fewer) for s, b in zip(own, base, strict=True)]
            figures["added_kib"] = Figure.of(added, added)
    return figures


def _check_answer(scenario: Scenario, answer: bytes) -> None:
    try:
        result = json.loads(answer)
    except ValueError:
        result = answer
    if result != scenario.expected_result():
        raise BenchmarkError(f"the handler's answer is not what it should be: {answer[:200]!r}")
