from __future__ import annotations

import json
import random
import xml.etree.ElementTree as ET
from collections import Counter
from dataclasses import replace
from itertools import islice, pairwise
from pathlib import Path

import pytest

from polylambda.plane.instance_types import select
from polylambda.plane.scaler import Decisions, Facts, ProviderFacts, VersionFacts
from polylambda.plane.simulation import SCENARIOS, Delays, Function, Scenario, day, ramp, simulate
from polylambda.plane.simulation.__main__ import main
from polylambda.plane.simulation.agenda import Agenda
from polylambda.plane.simulation.flow import Flow, loss
from polylambda.plane.simulation.invocations import Invocations
from polylambda.plane.simulation.traffic import DAY, arrivals, bursts, constant, diurnal, line, spike

SHORT = ramp(after=0.0)


def scenario(function: Function, **more) -> Scenario:
    pool = ProviderFacts("pool", select("arm64", ["m7g.*"]), ("a", "b", "c"), 400)
    return Scenario(
        **{"name": "it", "about": "it", "providers": (pool,), "functions": (function,), "seconds": 300.0} | more
    )


def function(rate, *, slots: int = 8, seconds: float = 0.1, cpu: float = 0.001, **more) -> Function:
    limits = {"minimum": 3, "maximum": None} | more
    return Function(VersionFacts("f", "pool", 1.0, 2048, slots, **limits), rate, seconds, cpu, steady=False)


def test_an_agenda_keeps_the_order_of_time_and_of_writing() -> None:
    agenda, seen = Agenda(-1.0), []
    for name, at in (("c", 2.0), ("a", 1.0), ("b", 1.0), ("late", 9.0)):
        agenda.at(at, lambda name=name: seen.append((agenda.now, name)))
    agenda.at(1.0, agenda.after, 0.5, lambda: seen.append((agenda.now, "then")))
    agenda.run(5.0)
    assert seen == [(1.0, "a"), (1.0, "b"), (1.5, "then"), (2.0, "c")]
    assert agenda.now == 5.0


def test_arrivals_are_as_many_as_the_rate_says() -> None:
    rate = line([(0.0, 5.0), (60.0, 200.0)])
    assert len(list(arrivals(rate, 60.0, None))) == pytest.approx(60 * 102.5, abs=15)
    assert len(list(arrivals(rate, 60.0, random.Random(1)))) == pytest.approx(60 * 102.5, rel=0.05)


def test_even_arrivals_have_even_gaps() -> None:
    times = list(islice(arrivals(constant(40.0), 10.0, None), 100))
    assert times[0] == pytest.approx(0.0125)
    assert [later - earlier for earlier, later in pairwise(times)] == pytest.approx([0.025] * 99)


def test_nothing_comes_at_rate_zero() -> None:
    assert list(arrivals(spike(0.0, 10.0, start=5.0, seconds=1.0), 10.0, None)) == pytest.approx(
        [5.05 + number / 10 for number in range(10)]
    )


def test_rates_of_a_day() -> None:
    rate = diurnal(100.0, swing=0.5, peak=13 * 3600.0)
    assert rate(13 * 3600.0) == pytest.approx(150.0)
    assert rate(3600.0) == pytest.approx(50.0)
    high = bursts(random.Random(1), 10.0, times=5.0, every=1000.0, seconds=100.0)
    share = sum(high(float(at)) > 10 for at in range(int(DAY))) / DAY
    assert {high(float(at)) for at in range(int(DAY))} == {10.0, 50.0}
    assert share == pytest.approx(100 / 1100, rel=0.3)


def test_the_ramp_is_followed_without_a_throttle_and_scales_in_again() -> None:
    result = simulate(ramp())
    # Ten invocations are in flight at the top: twice as many slots, two an environment.
    assert result.wanted[0] == (-118.0, "ramp", 3)
    assert max(wanted for _, _, wanted in result.wanted) == 10
    assert result.samples[-1].environments == 3
    assert result.samples[-1].instances == 3
    assert result.throttles == Counter()
    assert result.invocations == pytest.approx(60 * 102.5 + 60 * 200, abs=10)


def test_the_same_seed_gives_the_same_decisions() -> None:
    poisson = replace(SHORT, even=False)
    first, second, other = simulate(poisson, seed=3), simulate(poisson, seed=3), simulate(poisson, seed=4)
    assert first.wanted == second.wanted
    assert first.samples == second.samples
    assert first.samples != other.samples


def test_every_invocation_is_accounted_for_and_none_is_above_a_limit() -> None:
    def observe(now: float, facts: Facts, decisions: Decisions) -> None:
        for environment in facts.environments:
            assert 0 <= environment.slots_in_use <= 1 + 1e-9

    result = simulate(scenario(function(constant(200.0)), seconds=200.0, delays=Delays(life=100.0)), observe=observe)
    load = result.load
    assert isinstance(load, Invocations)
    running = sum(held for held, _ in load.in_flight)
    assert all(held <= limit for held, limit in load.in_flight)
    assert result.lost > 0
    assert load.done + result.lost + running + sum(result.throttles.values()) == result.invocations


def test_a_jump_is_throttled_until_there_is_more() -> None:
    jump = spike(20.0, 250.0, start=60.0, seconds=240.0)
    result = simulate(scenario(function(jump, slots=2), delays=Delays(launch=20.0)))
    assert set(result.throttles) == {"ConcurrencyThrottles"}
    last = result.samples[-1]
    assert last.throttles == {}
    assert last.environments >= 250 * 0.1 / 2 / 0.5 - 1
    assert sum(sum(sample.throttles.values()) for sample in result.samples) == sum(result.throttles.values())


def test_a_function_that_computes_is_scaled_by_cpu() -> None:
    result = simulate(scenario(function(constant(100.0), cpu=0.05)))
    # Five vCPUs are used, which is half of ten.
    assert 10 <= result.samples[-1].environments <= 12
    assert 0.4 < result.samples[-1].cpu < 0.55


def test_without_room_to_grow_cpu_is_the_cause() -> None:
    result = simulate(scenario(function(constant(100.0), cpu=0.05, slots=64, maximum=3)))
    assert result.throttles["CPUThrottles"] > 1000
    assert result.samples[-1].environments == 3


def test_what_dies_is_replaced() -> None:
    delays = Delays(launch=5.0, life=300.0, failing_launches=0.2, failing_inits=0.2)
    result = simulate(scenario(function(constant(100.0)), seconds=1200.0, delays=delays))
    assert result.deaths >= 5
    assert result.launched > result.deaths + 3
    assert result.samples[-1].instances + result.samples[-1].launching >= 3
    assert result.moved > 0
    assert sum(result.throttles.values()) < 0.05 * result.invocations


@pytest.mark.parametrize(("offered", "slots", "share"), [(1.0, 2, 0.2), (5.0, 10, 0.018385), (10.0, 10, 0.214582)])
def test_erlangs_formula(offered: float, slots: int, share: float) -> None:
    assert loss(offered, slots) == pytest.approx(share, abs=1e-5)


def test_erlangs_formula_at_its_ends() -> None:
    assert loss(0.0, 0) == loss(0.0, 5) == loss(100.0, 1000) == 0.0
    assert loss(1.0, 0) == 1.0
    assert loss(10_000.0, 1000) == pytest.approx(0.9)
    assert loss(1010.0, 1000) == pytest.approx(0.0311, abs=0.002)


def test_bulk_and_single_invocations_come_to_the_same() -> None:
    one = scenario(function(line([(60.0, 10.0), (180.0, 150.0)]), slots=2), seconds=400.0, even=False)
    single, bulk = simulate(one), simulate(replace(one, bulk=True))
    assert bulk.invocations == pytest.approx(single.invocations, rel=0.03)
    for each, other in zip(single.samples[10:], bulk.samples[10:], strict=True):
        assert other.wanted == pytest.approx(each.wanted, abs=3)
    assert bulk.vcpu_hours == pytest.approx(single.vcpu_hours, rel=0.1)


def test_the_router_refuses_as_many_as_the_formula_says() -> None:
    load = function(constant(230.0), maximum=3)
    result = simulate(scenario(load, bulk=True, seconds=3600.0))
    assert isinstance(result.load, Flow)
    assert result.load.routed >= 10 * 2000
    assert result.load.unrouted == pytest.approx(result.load.expected, rel=0.1)
    assert max(result.load.uneven) < 0.2


def test_a_piece_of_a_day_of_many_functions() -> None:
    result = simulate(replace(day(instances=1000, seconds=300.0, tick=20.0), warm=600.0))
    assert result.samples[-1].instances > 400
    assert result.samples[-1].environments >= 3 * 400 * 0.95
    assert sum(result.throttles.values()) < 0.001 * result.invocations


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_scenario_can_be_made(name: str) -> None:
    made = SCENARIOS[name]()
    assert made.name == name
    assert made.functions


def test_the_command_prints_and_draws(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture, data = tmp_path / "ramp.svg", tmp_path / "ramp.json"
    assert main(["ramp", "--last", "100", "--hold", "10", "--plot", str(picture), "--json", str(data)]) == 0
    out = capsys.readouterr().out
    assert out.startswith("ramp: 5 to 100 invocations a second of 50 ms within 60 s\n")
    assert "throttled     0 (0.0000%): none" in out
    root = ET.fromstring(picture.read_text())
    assert root.attrib["aria-label"] == "5 to 100 invocations a second of 50 ms within 60 s"
    assert len(root.findall("{http://www.w3.org/2000/svg}polyline")) == 7
    assert json.loads(data.read_text())["wanted"][0] == [-118.0, "ramp", 3]


def test_the_picture_shows_causes(tmp_path: Path) -> None:
    picture = tmp_path / "ramp.svg"
    main(["ramp", "--last", "900", "--ramp", "1", "--hold", "10", "--poisson", "--plot", str(picture)])
    assert ">Concurrency<" in picture.read_text()
