from __future__ import annotations

from typing import Any

import pytest

from polylambda.plane.changes import NOTHING, changes

ARN = "arn:aws:lambda:us-east-1:123456789012:function:orders:$LATEST.PUBLISHED"


def fleet(
    state: str = "Active",
    wanted: int = 3,
    instances: dict[str, str] | None = None,
    environments: dict[str, str] | None = None,
) -> dict[str, Any]:
    version = {"arn": ARN, "function": "orders", "qualifier": "$LATEST.PUBLISHED", "reason": "", "wanted": wanted}
    return {
        "providers": [],
        "versions": [{**version, "state": state}, {**version, "arn": "other", "qualifier": "$LATEST", "state": "?"}],
        "instances": [
            {"id": name, "type": "m7i.large", "zone": "us-east-1a", "state": state}
            for name, state in (instances or {}).items()
        ],
        "environments": [
            {"id": f"{name}-and-more", "version": ARN, "instance": "i-1", "state": state}
            for name, state in (environments or {}).items()
        ],
    }


def sentences(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    return [change.sentence for change in changes(before, after)]


def test_everything_is_new():
    after = fleet("Pending", 3, {"i-1": "Pending"}, {"0a1b2c3d": "Starting"})
    assert sentences(NOTHING, after) == [
        "function orders is Pending",
        "function orders 0 → 3 environments wanted",
        "instance i-1 is Pending, m7i.large in us-east-1a",
        "environment 0a1b2c3d is Starting, orders on i-1",
    ]


def test_steps():
    before = fleet("Pending", 3, {"i-1": "Pending", "i-2": "Draining"}, {"0a1b2c3d": "Starting", "ffffffff": "Ready"})
    after = fleet("Active", 5, {"i-1": "Running"}, {"0a1b2c3d": "Ready"})
    found = changes(before, after)
    assert [change.sentence for change in found] == [
        "function orders was Pending, is Active",
        "function orders 3 → 5 environments wanted",
        "instance i-1 was Pending, is Running, m7i.large in us-east-1a",
        "instance i-2 was Draining, is gone, m7i.large in us-east-1a",
        "environment 0a1b2c3d was Starting, is Ready, orders on i-1",
        "environment ffffffff was Ready, is gone, orders on i-1",
    ]
    assert [change.state for change in found] == ["Active", "Active", "Running", "", "Ready", ""]


@pytest.mark.parametrize("same", [NOTHING, fleet("Active", 3, {"i-1": "Running"}, {"0a1b2c3d": "Ready"})])
def test_nothing_happened(same: dict[str, Any]):
    assert changes(same, same) == []


def test_reasons_and_numbers():
    before, after = fleet("Pending"), fleet("Failed")
    for each in (before, after):
        each["versions"][0]["qualifier"] = "7"
    after["versions"][0]["reason"] = "the handler is missing"
    assert sentences(before, after) == ["function orders:7 was Pending, is Failed: the handler is missing"]


def test_a_new_reason_for_the_same_state():
    before, after = fleet("Pending"), fleet("Pending")
    before["versions"][0]["reason"] = "it is being created"
    after["versions"][0]["reason"] = "the handler is missing"
    assert sentences(before, after) == ["function orders is Pending: the handler is missing"]
    assert sentences(after, after) == []


def test_gone():
    assert sentences(fleet(), NOTHING) == ["function orders was Active, is gone"]
