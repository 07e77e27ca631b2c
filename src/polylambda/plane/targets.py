"""The functions behind asynchronous events and destinations: which version, by which rules, and what became of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from polylambda.plane.events import MAX_AGE, MAX_RETRIES, EventPolicy, Gone, Result
from polylambda.plane.records import LATEST, LATEST_PUBLISHED, Document
from polylambda.server.invocation import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from polylambda.plane.control import Control
    from polylambda.plane.metrics import FunctionMetrics, Metrics
    from polylambda.plane.queue import Event
    from polylambda.plane.records import VersionRecord
    from polylambda.plane.store import Store

_ARN_PARTS = 7  # arn:aws:lambda:region:account:function:name, and perhaps a qualifier


class Targets:
    """What the dispatcher of events asks about functions, answered from the store; attempts go through `control`."""

    def __init__(
        self, store: Store, control: Control, metrics: Metrics, free_slots: Callable[[VersionRecord], int]
    ) -> None:
        self._store = store
        self._free_slots = free_slots
        self._control = control
        self._metrics = metrics

    def room(self, function: str, version: str) -> int:
        """Return how many invocations the environments of a version could take now."""
        record = self._store.version(function, version)
        return 0 if record is None else self._free_slots(record)

    def policy(self, event: Event) -> EventPolicy:
        """Return the event-invoke config for `event`, with AWS's defaults for what it does not say."""
        # A caller who names no version gets $LATEST.PUBLISHED, but whoever configures none means $LATEST.
        qualifiers = (event.qualifier,) if event.qualifier else (LATEST_PUBLISHED, LATEST)
        configs = (self._store.event_invoke_config(event.function, each) for each in qualifiers)
        nothing: Document = {}
        config = next((each for each in configs if each is not None), nothing)
        destinations: Document = config.get("DestinationConfig") or {}
        return EventPolicy(
            retries=_number(config, "MaximumRetryAttempts", MAX_RETRIES),
            max_age=_number(config, "MaximumEventAgeInSeconds", MAX_AGE),
            on_success=_destination(destinations, "OnSuccess"),
            on_failure=_destination(destinations, "OnFailure"),
        )

    async def attempt(self, event: Event) -> Result:
        """Run the function on `event`, as `Functions.attempt` says."""
        version = self._store.version(event.function, event.version)
        if version is None or version.deleting:
            raise Gone(f"{event.function}:{event.version} was deleted")
        invocation = replace(event.invocation, timeout=version.timeout)
        response = await self._control.invoke(version, invocation)
        payload = await response.read()
        failed = response.outcome is not Outcome.SUCCESS
        if failed and response.error_body:  # a stream that broke off
            payload = response.error_body
        return Result(payload=payload, failed=failed, executed_version=version.qualifier)

    def destination(self, arn: str) -> tuple[str, str, str | None] | None:
        """Return function, version and qualifier behind `arn`; None: there is no such function here."""
        parts = arn.split(":")
        if len(parts) not in (_ARN_PARTS, _ARN_PARTS + 1) or parts[2] != "lambda" or parts[5] != "function":
            return None
        function, qualifier = parts[6], parts[7] if len(parts) > _ARN_PARTS else None
        version = LATEST_PUBLISHED if qualifier is None else qualifier
        alias = self._store.alias(function, version)
        if alias is not None:
            version = alias["FunctionVersion"]
        if self._store.version(function, version) is None:
            return None
        return function, version, qualifier

    def metrics(self, event: Event) -> FunctionMetrics:
        """Return the figures of the version that `event` is for."""
        return self._metrics.function(event.function, event.version)


def _number(config: Document, name: str, default: float) -> int:
    value = config.get(name)
    return int(default if value is None else value)


def _destination(destinations: Document, name: str) -> str | None:
    destination: Document = destinations.get(name) or {}
    return destination.get("Destination") or None
