"""`python -m polylambda.plane.simulation SCENARIO`: simulate a fleet, print a table, draw a picture."""

from __future__ import annotations

import argparse
import gc
import json
import sys
import time
from pathlib import Path

from polylambda.plane.simulation.engine import simulate
from polylambda.plane.simulation.plot import plot
from polylambda.plane.simulation.report import document, table
from polylambda.plane.simulation.scenarios import SCENARIOS, day, ramp


def main(arguments: list[str] | None = None) -> int:
    """Run one scenario, as the command line says."""
    options = _parser().parse_args(arguments)
    if options.scenario == "ramp":
        scenario = ramp(
            first=options.first,
            last=options.last,
            seconds=options.ramp,
            hold=options.hold,
            slots=options.slots,
            time=options.time,
            even=not options.poisson,
        )
    elif options.scenario == "day":
        scenario = day(instances=options.instances, seed=options.seed)
    else:
        scenario = SCENARIOS[options.scenario]()
    # A large fleet is many objects and no cycles: looking for some would take a third of the time.
    gc.disable()
    result = simulate(scenario, seed=options.seed)
    gc.enable()
    spent = f"simulated     {result.ticks:,} ticks in {time.process_time():,.0f} s of one core"
    sys.stdout.write(f"{scenario.name}: {scenario.about}\n\n{table(result)}\n{spent}\n")
    if options.plot:
        options.plot.write_text(plot(result))
    if options.json:
        options.json.write_text(json.dumps(document(result), indent=1) + "\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m polylambda.plane.simulation",
        description="Simulate a fleet of managed instances with the plane's own router and scaler.",
    )
    names = {name: (made.__doc__ or "").partition("\n")[0].removeprefix("Return ") for name, made in SCENARIOS.items()}
    parser.add_argument(
        "scenario", choices=SCENARIOS, help="; ".join(f"{name}: {about.rstrip('.')}" for name, about in names.items())
    )
    parser.add_argument("--seed", type=int, default=1, help="of all that is drawn at random (default: %(default)s)")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw it, as SVG")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all of it, as JSON")
    one = parser.add_argument_group("of `ramp`")
    one.add_argument("--first", type=float, default=5.0, help="invocations a second at first (default: %(default)s)")
    one.add_argument("--last", type=float, default=200.0, help="at the top (default: %(default)s)")
    one.add_argument("--ramp", type=float, default=60.0, help="seconds up to there (default: %(default)s)")
    one.add_argument("--hold", type=float, default=60.0, help="seconds at the top (default: %(default)s)")
    one.add_argument("--slots", type=int, default=2, help="of an environment (default: %(default)s)")
    one.add_argument("--time", type=float, default=0.05, help="seconds of an invocation (default: %(default)s)")
    one.add_argument("--poisson", action="store_true", help="independent callers instead of an even pace")
    other = parser.add_argument_group("of `day`")
    other.add_argument("--instances", type=int, default=10_000, help="at its height, about (default: %(default)s)")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
