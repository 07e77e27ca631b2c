"""The events of the examples are AWS's: the same keys and kinds of values, wherever AWS decides on the keys."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

EVENTS = Path(__file__).parent.parent.parent / "examples" / "events"

# Objects whose keys are the caller's.
OPEN = {"headers", "queryStringParameters", "pathParameters", "stageVariables", "claims", "messageAttributes"}


def shape(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: "..." if key in OPEN else shape(each) for key, each in value.items()}
    if isinstance(value, list):
        return [shape(each) for each in value[:1]]
    return type(value).__name__


@pytest.mark.parametrize(
    ("name", "service", "event_type"),
    [("http-api", "apigateway", "http-api-proxy"), ("sqs", "sqs", "receive-message"), ("s3", "s3", "put")],
)
def test_same_shape_as_the_sam_clis(sample_event: Any, name: str, service: str, event_type: str):
    ours = json.loads((EVENTS / f"{name}.json").read_text())
    assert shape(ours) == shape(sample_event(service, event_type))
    for record in ours.get("Records", []):
        assert shape(record) == shape(ours["Records"][0])
