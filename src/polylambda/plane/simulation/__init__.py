"""A fleet in virtual time: the plane's own router and scaler, driven by made-up traffic, start-up delays and failures.

Nothing here knows a socket, a process or the time of day. `simulate` runs a `Scenario`; `scenarios` has some ready-made;
`python -m polylambda.plane.simulation --help` runs them and draws them.
"""

from polylambda.plane.simulation.engine import Result, Sample, Scenario, simulate
from polylambda.plane.simulation.fleet import Delays
from polylambda.plane.simulation.functions import Function
from polylambda.plane.simulation.scenarios import SCENARIOS, day, ramp

__all__ = ["SCENARIOS", "Delays", "Function", "Result", "Sample", "Scenario", "day", "ramp", "simulate"]
