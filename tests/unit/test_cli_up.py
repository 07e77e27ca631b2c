"""What `polylambda up` says of a function that has come up."""

from __future__ import annotations

from pathlib import Path

import pytest

from polylambda.cli.up import way_to
from polylambda.plane.deploy import Deployed
from polylambda.plane.plan import FunctionPlan, Plan


@pytest.mark.parametrize(
    ("latest", "alias", "url", "way"),
    [
        (True, None, "", "polylambda load orders"),
        (True, "live", "", "polylambda load orders"),
        (False, "live", "", "polylambda load orders:live"),
        (False, "live", "http://127.0.0.1:9401/", "curl http://127.0.0.1:9401/"),
        (False, None, "", "aws lambda publish-version --function-name orders"),
    ],
)
def test_the_way_to_a_function(latest: bool, alias: str | None, url: str, way: str):
    function = FunctionPlan(name="orders", code=Path(), configuration={}, publish_latest=latest, alias=alias)
    other = FunctionPlan(name="report", code=Path(), configuration={})
    plans = [
        Plan(source=Path(), providers=(), functions=(other,)),
        Plan(source=Path(), providers=(), functions=(function,)),
    ]
    assert way_to(Deployed(name="orders", qualifiers=(), url=url), plans) == way
