"""Compare polylambda with awslambdaric, side by side, on one Runtime API server: `python benchmarks/run.py --help`."""

from __future__ import annotations

import argparse
import functools
import os
import sys
from collections.abc import Callable, Iterator

from harness.emulator import prepare_emulator
from harness.environment import BenchmarkError, Cores, Interpreter, prepare_interpreter
from harness.measure import FULL, QUICK, Bench
from harness.report import missed, result_of, section, write
from harness.scenario import GROUPS, Scenario
from harness.scenarios import SCENARIOS


def main() -> int:
    """Run what the arguments choose; return 0 when every bar is met, 1 when one is missed, 2 when something failed."""
    arguments = _parse_arguments()
    efforts = QUICK if arguments.quick else FULL
    chosen = _choose_scenarios(arguments)
    load = os.getloadavg()[0]
    if load > 0.5:
        print(f"Load average {load:.1f}: something else is running; trust ratios, not rates.", file=sys.stderr)

    missing = failures = 0
    for python, scenario in _runs(chosen, arguments.python or [sys.executable]):
        try:
            interpreter = python()
            cores = Cores.choose(scenario.placement or arguments.placement)
            effort = efforts[scenario.group]
            figures = Bench(interpreter, cores, effort).measure(scenario)
        except BenchmarkError as error:
            print(f"\n{error}", file=sys.stderr)
            failures += 1
            continue
        result = result_of(scenario, figures, interpreter, cores, effort)
        print(f"\n{interpreter.name}: {scenario.title}\n\n{section(result)}\n", flush=True)
        missing += missed(result)
        if arguments.write:
            write(result)
    if failures:
        return 2
    return 1 if missing else 0


def _choose_scenarios(arguments: argparse.Namespace) -> list[Scenario]:
    chosen = [
        scenario
        for scenario in SCENARIOS
        if (not arguments.only or scenario.name in arguments.only)
        and (not arguments.group or scenario.group == arguments.group)
    ]
    if arguments.subject:
        if not any(subject.name.startswith(tuple(arguments.subject)) for s in chosen for subject in s.subjects):
            raise BenchmarkError(f"No subject of these scenarios begins with {' or '.join(arguments.subject)}.")
        chosen = [scenario.only(arguments.subject) for scenario in chosen]
    if not chosen:
        raise BenchmarkError("No scenario of that name is in that group.")
    return chosen


def _runs(scenarios: list[Scenario], pythons: list[str]) -> Iterator[tuple[Callable[[], Interpreter], Scenario]]:
    """Yield what makes the interpreter, and the scenario: all on each Python, those under the emulator on its own."""
    for python in pythons:
        prepare = functools.cache(functools.partial(prepare_interpreter, python))
        for scenario in scenarios:
            if scenario.kind != "calls":
                yield prepare, scenario
    for scenario in scenarios:
        if scenario.kind == "calls":
            yield prepare_emulator, scenario


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    names = [scenario.name for scenario in SCENARIOS]
    parser.add_argument("--quick", action="store_true", help="shorter and fewer rounds: for a look while working")
    parser.add_argument("--group", choices=GROUPS, help="one invocation at a time, or many; default both")
    parser.add_argument("--only", action="append", choices=names, help="this scenario only; may be repeated")
    parser.add_argument(
        "--subject",
        action="append",
        help="this subject only, beside what it is compared with; a name or how it begins; may be repeated",
    )
    parser.add_argument("--python", action="append", help="interpreter for both runtimes; may be repeated")
    parser.add_argument(
        "--placement",
        choices=("apart", "together"),
        default="apart",
        help="server and runtime on a core each (default), or both on one: less noise where waking a core is slow; "
        "scenarios with many slots have a placement of their own",
    )
    parser.add_argument("--write", action="store_true", help="put the results into RESULTS.md")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BenchmarkError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
