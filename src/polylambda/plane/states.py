"""The lives that the things of a plane lead: states, and the steps between them. No I/O and no clock."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

S = TypeVar("S", bound=Enum)


class IllegalStep(RuntimeError):
    """Something was to go from one state to another that does not follow it: a defect of the plane."""


class ProviderState(Enum):
    """A capacity provider's, in the words of AWS's API."""

    PENDING = "Pending"
    ACTIVE = "Active"
    FAILED = "Failed"
    DELETING = "Deleting"


class VersionState(Enum):
    """A function version's, in the words of AWS's API. `$LATEST` is ActiveNonInvocable once it is there."""

    PENDING = "Pending"
    ACTIVE = "Active"
    ACTIVE_NON_INVOCABLE = "ActiveNonInvocable"
    FAILED = "Failed"
    DEACTIVATING = "Deactivating"
    DEACTIVATED = "Deactivated"
    DELETING = "Deleting"


class InstanceState(Enum):
    """An instance's."""

    PENDING = "Pending"
    RUNNING = "Running"
    DRAINING = "Draining"
    UNHEALTHY = "Unhealthy"
    FAILED = "Failed"
    TERMINATED = "Terminated"


class EnvironmentState(Enum):
    """An execution environment's."""

    STARTING = "Starting"
    READY = "Ready"
    DRAINING = "Draining"
    STOPPED = "Stopped"
    FAILED = "Failed"  # its init failed
    DEAD = "Dead"  # it, or its instance, died


class InvocationState(Enum):
    """An invocation's, as the plane sees it."""

    ACCEPTED = "Accepted"
    ROUTED = "Routed"
    DELIVERED = "Delivered"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    TIMED_OUT = "TimedOut"
    LOST = "Lost"

    # Enum's own hash is a Python function, and the table below is looked into several times an invocation.
    __hash__ = object.__hash__


PROVIDER_STEPS: Mapping[ProviderState, frozenset[ProviderState]] = {
    ProviderState.PENDING: frozenset({ProviderState.ACTIVE, ProviderState.FAILED, ProviderState.DELETING}),
    ProviderState.ACTIVE: frozenset({ProviderState.DELETING}),
    ProviderState.FAILED: frozenset({ProviderState.DELETING}),
    ProviderState.DELETING: frozenset(),
}

VERSION_STEPS: Mapping[VersionState, frozenset[VersionState]] = {
    VersionState.PENDING: frozenset(
        {
            VersionState.ACTIVE,
            VersionState.ACTIVE_NON_INVOCABLE,
            VersionState.FAILED,
            VersionState.DEACTIVATING,
            VersionState.DELETING,
        }
    ),
    VersionState.ACTIVE: frozenset({VersionState.PENDING, VersionState.DEACTIVATING, VersionState.DELETING}),
    VersionState.ACTIVE_NON_INVOCABLE: frozenset({VersionState.PENDING, VersionState.DELETING}),
    VersionState.FAILED: frozenset({VersionState.PENDING, VersionState.DEACTIVATING, VersionState.DELETING}),
    VersionState.DEACTIVATING: frozenset({VersionState.DEACTIVATED, VersionState.PENDING, VersionState.DELETING}),
    VersionState.DEACTIVATED: frozenset({VersionState.PENDING, VersionState.DELETING}),
    VersionState.DELETING: frozenset(),
}

INSTANCE_STEPS: Mapping[InstanceState, frozenset[InstanceState]] = {
    InstanceState.PENDING: frozenset({InstanceState.RUNNING, InstanceState.FAILED, InstanceState.TERMINATED}),
    InstanceState.RUNNING: frozenset({InstanceState.DRAINING, InstanceState.UNHEALTHY, InstanceState.TERMINATED}),
    InstanceState.DRAINING: frozenset({InstanceState.UNHEALTHY, InstanceState.TERMINATED}),
    InstanceState.UNHEALTHY: frozenset({InstanceState.TERMINATED}),
    InstanceState.FAILED: frozenset({InstanceState.TERMINATED}),
    InstanceState.TERMINATED: frozenset(),
}

ENVIRONMENT_STEPS: Mapping[EnvironmentState, frozenset[EnvironmentState]] = {
    EnvironmentState.STARTING: frozenset(
        {EnvironmentState.READY, EnvironmentState.FAILED, EnvironmentState.DEAD, EnvironmentState.STOPPED}
    ),
    EnvironmentState.READY: frozenset({EnvironmentState.DRAINING, EnvironmentState.DEAD, EnvironmentState.STOPPED}),
    EnvironmentState.DRAINING: frozenset({EnvironmentState.STOPPED, EnvironmentState.DEAD}),
    EnvironmentState.STOPPED: frozenset(),
    EnvironmentState.FAILED: frozenset(),
    EnvironmentState.DEAD: frozenset(),
}

INVOCATION_STEPS: Mapping[InvocationState, frozenset[InvocationState]] = {
    InvocationState.ACCEPTED: frozenset({InvocationState.ROUTED, InvocationState.FAILED}),
    # Routed elsewhere after a refusal; never after it was delivered.
    InvocationState.ROUTED: frozenset({InvocationState.ROUTED, InvocationState.DELIVERED, InvocationState.FAILED}),
    InvocationState.DELIVERED: frozenset(
        {InvocationState.SUCCEEDED, InvocationState.FAILED, InvocationState.TIMED_OUT, InvocationState.LOST}
    ),
    InvocationState.SUCCEEDED: frozenset(),
    InvocationState.FAILED: frozenset(),
    InvocationState.TIMED_OUT: frozenset(),
    InvocationState.LOST: frozenset(),
}


def step(table: Mapping[S, frozenset[S]], what: str, before: S, after: S) -> S:
    """Return `after`, when `table` lets it follow `before`.

    Raises:
        IllegalStep: it does not; the message names `what`.
    """
    if after not in table[before]:
        raise IllegalStep(f"{what} cannot go from {before.value} to {after.value}")
    return after
