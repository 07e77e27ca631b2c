"""Compare polylambda with awslambdaric, side by side, on one Runtime API server: `python benchmarks/run.py --help`."""

from __future__ import annotations

import argparse
import os
import sys

from harness.environment import BenchmarkError, Cores, prepare_interpreter
from harness.measure import FULL, QUICK, Bench
from harness.report import missed, result_of, section, write
from harness.scenarios import SCENARIOS


def main() -> int:
    """Run what the arguments choose; return 0 when every bar is met, 1 when one is missed, 2 when something failed."""
    arguments = _parse_arguments()
    effort = QUICK if arguments.quick else FULL
    chosen = [scenario for scenario in SCENARIOS if not arguments.only or scenario.name in arguments.only]
    if arguments.subject:
        chosen = [scenario.only(arguments.subject) for scenario in chosen]
        if not any(subject.name.startswith(tuple(arguments.subject)) for s in chosen for subject in s.subjects):
            raise BenchmarkError(f"No subject of these scenarios begins with {' or '.join(arguments.subject)}.")
    load = os.getloadavg()[0]
    if load > 0.5:
        print(f"Load average {load:.1f}: something else is running; trust ratios, not rates.", file=sys.stderr)

    missing = failures = 0
    for python in arguments.python or [sys.executable]:
        interpreter = prepare_interpreter(python)
        cores = Cores.choose(arguments.placement)
        bench = Bench(interpreter, cores, effort)
        for scenario in chosen:
            try:
                result = result_of(scenario, bench.measure(scenario), interpreter, cores, effort)
            except BenchmarkError as error:
                print(f"\n{error}", file=sys.stderr)
                failures += 1
                continue
            print(f"\n{interpreter.name}: {scenario.title}\n\n{section(result)}\n", flush=True)
            missing += missed(result)
            if arguments.write:
                write(result)
    if failures:
        return 2
    return 1 if missing else 0


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    names = [scenario.name for scenario in SCENARIOS]
    parser.add_argument("--quick", action="store_true", help="shorter and fewer rounds: for a look while working")
    parser.add_argument("--only", action="append", choices=names, help="this scenario only; may be repeated")
    parser.add_argument(
        "--subject",
        action="append",
        help="this subject only, beside the baseline; a name or how it begins; may be repeated",
    )
    parser.add_argument("--python", action="append", help="interpreter for both runtimes; may be repeated")
    parser.add_argument(
        "--placement",
        choices=("apart", "together"),
        default="apart",
        help="server and runtime on a core each (default), or both on one: less noise where waking a core is slow",
    )
    parser.add_argument("--write", action="store_true", help="put the results into RESULTS.md")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BenchmarkError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
