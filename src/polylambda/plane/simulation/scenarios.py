"""Ready-made scenarios.

Of published traces only their published parameters are used, not their data:

- Azure Functions (Shahrad et al., "Serverless in the Wild", USENIX ATC 2020): mean times of functions are log-normal with
  mean -0.38 and deviation 2.36 (of the logarithm of seconds); about half of all invocations are the same at every hour, the
  rest follow the day; the most popular 18.6 % of the applications make 99.6 % of the invocations, which a log-normal
  popularity has whose deviation is 3.5.
- Alibaba Cloud Function Compute (Wang et al., "FaaSNet", USENIX ATC 2021) describes applications that are quiet and then
  burst, within seconds, to many times their rate. How many times, how long and how often is our choice.
"""

from __future__ import annotations

import math
from dataclasses import replace
from random import Random
from statistics import NormalDist
from typing import TYPE_CHECKING

from polylambda.plane.facts import ProviderFacts, VersionFacts
from polylambda.plane.instance_types import select
from polylambda.plane.simulation import traffic
from polylambda.plane.simulation.engine import Scenario
from polylambda.plane.simulation.fleet import Delays
from polylambda.plane.simulation.functions import Function

if TYPE_CHECKING:
    from collections.abc import Callable

_ZONES = ("us-east-1a", "us-east-1b", "us-east-1c")
_TYPES = select("arm64", ["m7g.*"])
_HOURS = 3600.0

_TIMES = NormalDist(-0.38, 2.36)  # of the logarithm of an Azure function's seconds
_POPULARITY = NormalDist(0, 3.5)  # of the logarithm of its invocations
_LONGEST = 60.0  # seconds; longer times of functions are cut


def ramp(
    *,
    first: float = 5.0,
    last: float = 200.0,
    seconds: float = 60.0,
    hold: float = 60.0,
    after: float = 900.0,
    slots: int = 2,
    time: float = 0.05,
    cpu: float = 0.002,
    even: bool = True,
    delays: Delays | None = None,
    minimum: int = 3,
    maximum: int | None = None,
) -> Scenario:
    """Return an open-loop ramp for a function that waits: by default 5 to 200 invocations a second of 50 ms each.

    Args:
        first: invocations a second at the beginning.
        last: invocations a second at the top.
        seconds: from the one to the other.
        hold: seconds at the top.
        after: seconds that are simulated after that, without traffic.
        slots: of an environment.
        time: seconds of an invocation.
        cpu: vCPU seconds of an invocation.
        even: evenly spaced invocations; otherwise independent callers.
        delays: start-up times and failures; None: as on one machine, where an agent or an environment starts in
            about half a second.
        minimum: environments at least.
        maximum: environments at most.
    """
    version = VersionFacts("ramp", "local", 1.0, 2048, slots, minimum, maximum)
    rate = traffic.ramp(first, last, seconds=seconds, hold=hold)
    return Scenario(
        name="ramp",
        about=f"{first:g} to {last:g} invocations a second of {time * 1000:g} ms within {seconds:g} s",
        providers=(ProviderFacts("local", _TYPES, _ZONES, 400),),
        functions=(Function(version, rate, time, cpu),),
        seconds=seconds + hold + after,
        sample=5.0,
        even=even,
        delays=delays or Delays(launch=0.5, init=0.5),
    )


def day(*, instances: int = 10_000, seed: int = 1, seconds: float = traffic.DAY, tick: float = 10.0) -> Scenario:
    """Return a day of about so many instances at its height: 400 functions, in bulk, most as Azure's, some with bursts.

    Args:
        instances: to be reached at noon, nearly.
        seed: of the functions' popularity and times.
        seconds: that are simulated.
        tick: seconds between two ticks of the scaler.
    """
    rng = Random(seed)  # noqa: S311 - no secret depends on it
    count, providers = 400, 4
    places = [(number + 0.5) / count for number in range(count)]
    times = [min(math.exp(_TIMES.inv_cdf(place)), _LONGEST) for place in places]
    rates = [math.exp(_POPULARITY.inv_cdf(place)) for place in places]
    rng.shuffle(times)
    # Slots in use. The few that would be most of the load are cut, so that the fleet is not one function's.
    shares = [rate * time for rate, time in zip(rates, times, strict=True)]
    limit = sum(shares) / 20
    shares = [min(share, limit) for share in shares]
    # An instance has two vCPUs, each of which is one environment of 16 slots, half of which are in use at a rate of 1.5
    # times the mean; every function has three environments at least.
    slots = (2 * instances - 3 * count) * 16 / 2 / 1.45
    unit = slots / sum(shares)
    functions: list[Function] = []
    loads = [0.0] * providers
    for number in sorted(range(count), key=lambda number: -shares[number]):
        provider = min(range(providers), key=lambda provider: loads[provider])
        loads[provider] += shares[number]
        version = VersionFacts(f"f{number}", f"pool-{provider}", 1.0, 2048, 16, 3, None)
        rate = shares[number] * unit / times[number]
        # I/O for the most part: of an environment's vCPU, full slots use 60 %.
        functions.append(Function(version, _rate(rng, rate), times[number], times[number] * 0.6 / 16, steady=False))
    return Scenario(
        name="day",
        about=f"a day of {count} functions on about {instances:,} instances at its height",
        providers=tuple(ProviderFacts(f"pool-{n}", _TYPES, _ZONES, 15_000) for n in range(providers)),
        functions=tuple(functions),
        seconds=seconds,
        tick=tick,
        warm=1800.0,
        sample=300.0,
        bulk=True,
        even=False,
        # An instance dies every 100 days; 10,000 instances lose one every quarter of an hour.
        delays=Delays(launch=40.0, init=4.0, life=100 * traffic.DAY, failing_launches=0.005, failing_inits=0.002),
    )


def _rate(rng: Random, mean: float) -> Callable[[float], float]:
    if rng.random() < 0.1:
        # Quiet most of the time, ten times as much for ten minutes every three hours.
        quiet = mean / (1 + 9 * 600 / (600 + 3 * _HOURS))
        return traffic.bursts(rng, quiet, times=10.0, every=3 * _HOURS, seconds=600.0)
    # Half of the invocations know no hour: the other half swing between none and twice their mean.
    return traffic.diurnal(mean, swing=0.5, peak=rng.gauss(13 * _HOURS, 1 * _HOURS))


def _one(
    name: str, about: str, rate: Callable[[float], float], seconds: float, delays: Delays | None = None
) -> Scenario:
    """One function of 8 slots that takes 100 ms, and independent callers."""
    version = VersionFacts(name, "pool", 1.0, 2048, 8, 3, None)
    return Scenario(
        name=name,
        about=about,
        providers=(ProviderFacts("pool", _TYPES, _ZONES, 400),),
        functions=(Function(version, rate, 0.1, 0.004, steady=False),),
        seconds=seconds,
        even=False,
        delays=delays or Delays(),
    )


def constant() -> Scenario:
    """Return the same load for an hour."""
    return _one("constant", "200 invocations a second for an hour", traffic.constant(200.0), _HOURS)


def double() -> Scenario:
    """Return a load that doubles within five minutes, as it may without throttles."""
    rate = traffic.line([(300.0, 200.0), (600.0, 400.0)])
    return _one("double", "200 invocations a second, 400 five minutes later", rate, 1800.0)


def spike() -> Scenario:
    """Return a sudden five times as much."""
    rate = traffic.spike(100.0, 500.0, start=300.0, seconds=300.0)
    return _one("spike", "100 invocations a second, and 500 at once for five minutes", rate, 1800.0)


def diurnal() -> Scenario:
    """Return a day of one function, invocation by invocation."""
    rate = traffic.diurnal(60.0, swing=0.8, peak=13 * _HOURS)
    return _one("diurnal", "a day between 12 and 108 invocations a second", rate, traffic.DAY)


def alibaba() -> Scenario:
    """Return bursts of ten times the rate, as of an application that devices or players call."""
    rng = Random(5)  # noqa: S311 - no secret depends on it
    rate = traffic.bursts(rng, 20.0, times=10.0, every=900.0, seconds=120.0)
    return _one("alibaba", "20 invocations a second, with bursts of 200 for two minutes", rate, 2 * _HOURS)


def azure() -> Scenario:
    """Return a day of a small fleet with Azure's mixture of functions."""
    return replace(
        day(instances=1200), name="azure", about="a day of 400 functions, mixed as Azure's, on 1,200 instances"
    )


def faults() -> Scenario:
    """Return a constant load on instances that die every hour, and fail to launch and to start now and then."""
    delays = Delays(life=_HOURS, failing_launches=0.1, failing_inits=0.1)
    about = "200 invocations a second on instances that live for an hour"
    return _one("faults", about, traffic.constant(200.0), 2 * _HOURS, delays)


SCENARIOS: dict[str, Callable[[], Scenario]] = {
    made.__name__: made for made in (ramp, constant, double, spike, diurnal, alibaba, azure, faults, day)
}
"""By their names."""
