"""One measured run of a subject, and rounds of them in turn."""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.environment import BENCHMARKS, CHECKOUT, BenchmarkError, Cores, compile_program
from harness.processes import Runtime, RuntimeApi

if TYPE_CHECKING:
    from harness.environment import Interpreter
    from harness.scenarios import Scenario, Subject

_PATIENCE = 60  # seconds beyond what a phase is meant to take


@dataclass(frozen=True)
class Effort:
    """How long and how often to measure."""

    rounds: int
    warmup: float
    seconds: float
    starts: int


FULL = Effort(rounds=5, warmup=0.4, seconds=2.0, starts=20)
QUICK = Effort(rounds=3, warmup=0.2, seconds=0.4, starts=7)


@dataclass(frozen=True)
class Sample:
    """What one run of one subject showed."""

    start: float
    """Milliseconds from before the process is made to its first poll reaching the server."""
    start_cpu: float
    """Milliseconds of CPU until then."""
    rate: float
    """Invocations per second."""
    cpu: float
    """Microseconds of CPU, user and system, of the process tree per invocation."""
    pss: float
    """MiB, proportional set size of the process tree, at rest after the load."""
    peak: float
    """MiB, peak resident set size."""


METRICS = tuple(Sample.__annotations__)


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
        ratios = [value / base if base else 0.0 for value, base in zip(values, baseline, strict=True)]
        return cls(
            statistics.median(values), min(values), max(values), statistics.median(ratios), min(ratios), max(ratios)
        )


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
        rounds = self._effort.starts if scenario.starts_only else self._effort.rounds
        with tempfile.TemporaryDirectory(prefix="polylambda-benchmark-") as name:
            folder = Path(name)
            (folder / "event").write_text(scenario.event_text(), encoding="utf-8")
            if scenario.starts_only:  # byte code and page cache: as in any start but the very first
                for subject in scenario.subjects:
                    self._run(scenario, subject, folder)
            for number in range(rounds):
                print(f"\r{scenario.name}: round {number + 1} of {rounds} ", end="", file=sys.stderr, flush=True)
                for subject in scenario.subjects:
                    samples[subject.name].append(self._run(scenario, subject, folder))
        print(file=sys.stderr)

        def values(subject: str, metric: str) -> list[float]:
            return [getattr(sample, metric) for sample in samples[subject]]

        baseline = scenario.baseline.name
        return {
            name: {metric: Figure.of(values(name, metric), values(baseline, metric)) for metric in METRICS}
            for name in samples
        }

    def _run(self, scenario: Scenario, subject: Subject, folder: Path) -> Sample:
        try:
            sample = self._measured(scenario, subject, folder)
            _check_answer(scenario, (folder / "answer").read_bytes())
        except BenchmarkError as error:
            raise BenchmarkError(f"{scenario.name}, {subject.name}: {error}") from error
        return sample

    def _measured(self, scenario: Scenario, subject: Subject, folder: Path) -> Sample:
        """Start server and runtime, let them warm up, measure, end both."""
        warmup, seconds = (0.0, 0.0) if scenario.starts_only else (self._effort.warmup, self._effort.seconds)
        options = ["--event", str(folder / "event"), "--answer", str(folder / "answer"), "--warmup", str(warmup)]
        options += ["--count", "1"] if scenario.starts_only else ["--seconds", str(seconds)]
        options += ["--spin", "1" if self._cores.apart else "0"]
        with RuntimeApi(self._server, options, self._cores.server) as api:
            command, environment = self._command(subject, api.address)
            with Runtime(command, environment, BENCHMARKS, self._cores.runtime) as runtime:
                first_next = api.expect("first_next", _PATIENCE, runtime)["monotonic_ns"]
                start_cpu = runtime.cpu_ns() if scenario.starts_only else 0
                api.expect("warm", warmup + _PATIENCE, runtime)
                cpu_before = runtime.cpu_ns()
                api.go_on()
                done = api.expect("done", seconds + _PATIENCE, runtime)
                cpu_ns = runtime.cpu_ns() - cpu_before
                pss, peak = runtime.memory_kib()
        return Sample(
            start=(first_next - runtime.started_ns) / 1e6,
            start_cpu=start_cpu / 1e6,
            rate=done["invocations"] / done["elapsed_ns"] * 1e9,
            cpu=cpu_ns / done["invocations"] / 1e3,
            pss=pss / 1024,
            peak=peak / 1024,
        )

    def _command(self, subject: Subject, address: str) -> tuple[list[str], dict[str, str]]:
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
        if subject.runtime == "client":
            return [str(self._client), *subject.handler.split()], environment
        command = [str(self._interpreter.executable), "-m", subject.runtime, subject.handler]
        return command, environment | {"_HANDLER": subject.handler} | subject.environment


def _check_answer(scenario: Scenario, answer: bytes) -> None:
    try:
        result = json.loads(answer)
    except ValueError:
        result = answer
    if result != scenario.expected_result():
        raise BenchmarkError(f"the handler's answer is not what it should be: {answer[:200]!r}")
