"""What the dispatcher of events is told about functions."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from polylambda.plane.agent_client import AgentResponse
from polylambda.plane.events import EventPolicy, Gone, Result
from polylambda.plane.metrics import Metrics
from polylambda.plane.queue import Event
from polylambda.plane.records import VersionRecord
from polylambda.plane.store import Store
from polylambda.plane.targets import Targets
from polylambda.rapi.headers import JSON
from polylambda.server.invocation import Invocation, Outcome
from tests.unit.plane_records import REGION, version


class Control:
    """Answers with a payload, an outcome, and perhaps an error behind a stream."""

    def __init__(self) -> None:
        self.answer: tuple[bytes, Outcome, bytes] = (b"{}", Outcome.SUCCESS, b"")
        self.invoked: list[Invocation] = []

    async def invoke(self, version: VersionRecord, invocation: Invocation, *, tail: bool = False) -> AgentResponse:
        self.invoked.append(invocation)
        payload, outcome, error_body = self.answer
        response = AgentResponse(invocation.request_id)
        response.begin(JSON, streamed=bool(error_body))
        response.feed(payload)
        response.end(outcome, None if outcome is Outcome.SUCCESS else "Function.Error", error_body)
        return response


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store(tmp_path)) as store:
        store.put_version(version(qualifier="$LATEST.PUBLISHED"))
        store.put_version(version())
        yield store


@pytest.fixture
def control() -> Control:
    return Control()


@pytest.fixture
def targets(store: Store, control: Any) -> Targets:
    return Targets(store, control, Metrics(), lambda record: record.slots)


def event(qualifier: str | None = None, *, version: str = "1") -> Event:
    return Event(
        function="f", version=version, qualifier=qualifier, invocation=Invocation(payload=b"{}"), accepted_at=0
    )


def test_without_a_config_aws_defaults_hold(targets: Targets) -> None:
    assert targets.policy(event()) == EventPolicy(retries=2, max_age=21_600)


def test_the_config_of_what_the_caller_named_holds(targets: Targets, store: Store) -> None:
    destinations = {"OnSuccess": {"Destination": "arn:yes"}, "OnFailure": {}}
    config = {"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 60, "DestinationConfig": destinations}
    store.put_event_invoke_config("f", "live", config)
    store.put_event_invoke_config("f", "$LATEST", {"MaximumRetryAttempts": 1})
    assert targets.policy(event("live")) == EventPolicy(retries=0, max_age=60, on_success="arn:yes")
    assert targets.policy(event()) == EventPolicy(retries=1)
    assert targets.policy(event("1")) == EventPolicy()


@pytest.mark.parametrize(
    ("arn", "found"),
    [
        (f"{REGION}:function:f", ("f", "$LATEST.PUBLISHED", None)),
        (f"{REGION}:function:f:1", ("f", "1", "1")),
        (f"{REGION}:function:f:live", ("f", "1", "live")),
        (f"{REGION}:function:f:2", None),
        (f"{REGION}:function:g", None),
        (f"{REGION}:layer:f", None),
        ("arn:aws:sqs:us-east-1:123456789012:f", None),
        ("f", None),
        ("", None),
    ],
)
def test_destinations_are_functions_of_this_plane(
    targets: Targets, store: Store, arn: str, found: tuple[str, str, str | None] | None
) -> None:
    store.put_alias("f", "live", {"Name": "live", "FunctionVersion": "1"})
    assert targets.destination(arn) == found


def test_an_attempt_has_the_timeout_of_the_version(targets: Targets, control: Control) -> None:
    assert asyncio.run(targets.attempt(event())) == Result(payload=b"{}", failed=False, executed_version="1")
    assert control.invoked[0].timeout == 3


@pytest.mark.parametrize("error_body", [b"", b'{"errorType": "E"}'])
def test_an_error_is_the_payload_wherever_it_came(targets: Targets, control: Control, error_body: bytes) -> None:
    control.answer = (b"a part", Outcome.ERROR, error_body)
    result = asyncio.run(targets.attempt(event()))
    assert (result.failed, result.payload) == (True, error_body or b"a part")


def test_what_was_deleted_is_gone(targets: Targets) -> None:
    with pytest.raises(Gone):
        asyncio.run(targets.attempt(event(version="2")))


def test_room_is_what_the_environments_have(targets: Targets) -> None:
    assert targets.room("f", "1") == 4
    assert targets.room("f", "2") == 0


def test_figures_are_those_of_the_version(targets: Targets) -> None:
    targets.metrics(event()).count("AsyncEventsReceived")
    assert targets.metrics(event()).total("AsyncEventsReceived") == 1
