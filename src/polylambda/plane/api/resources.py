"""What all operations look things up in, and how they tell of what they found."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import TYPE_CHECKING

from polylambda.plane.api import errors
from polylambda.plane.records import LATEST, LATEST_PUBLISHED
from polylambda.plane.states import VersionState

if TYPE_CHECKING:
    from collections.abc import Callable

    from polylambda.plane.api.references import FunctionReference, Namespace
    from polylambda.plane.code import CodeFolder
    from polylambda.plane.control import Control
    from polylambda.plane.records import Document, ProviderRecord, VersionRecord
    from polylambda.plane.store import Store

CREATING = {"State": "Pending", "StateReason": "The function is being created.", "StateReasonCode": "Creating"}
"""What `CreateFunction` tells of a function that is not more than written down."""

_UPDATE_STATUS = {VersionState.PENDING: "InProgress", VersionState.FAILED: "Failed"}


class Resources:
    """The store with the plane behind it, as the operations see them.

    Attributes:
        store: what is wanted.
        control: the running plane.
        code: where code is.
        names: region and account.
        endpoint: returns the URL of the API, without a slash at the end.
    """

    def __init__(
        self, store: Store, control: Control, code: CodeFolder, names: Namespace, endpoint: Callable[[], str]
    ) -> None:
        self.store = store
        self.control = control
        self.code = code
        self.names = names
        self.endpoint = endpoint

    # Looking up

    def provider(self, reference: str) -> ProviderRecord:
        """Return a capacity provider.

        Raises:
            ApiError: there is none.
        """
        record = self.store.provider(self.names.provider(reference))
        if record is None:
            raise errors.not_found(f"Capacity provider not found: {reference}")
        return record

    def function(self, reference: str, *, changing: bool = False) -> VersionRecord:
        """Return the `$LATEST` of a function; a qualifier in `reference` is nobody's business here.

        Raises:
            ApiError: there is none, or it is `changing` and goes away.
        """
        name = self.names.function(reference).name
        record = self.store.version(name, LATEST)
        if record is None:
            raise errors.function_not_found(self.names.function_arn(name))
        if changing and record.deleting:
            raise errors.conflict(f"The function is being deleted: {self.names.function_arn(name)}")
        return record

    def version(self, reference: FunctionReference) -> VersionRecord:
        """Return the version that `reference` means: an alias's, and `$LATEST` without a qualifier.

        Raises:
            ApiError: there is none.
        """
        qualifier = reference.qualifier or LATEST
        record = self.store.version(reference.name, qualifier)
        if record is None and (alias := self.store.alias(reference.name, qualifier)) is not None:
            record = self.store.version(reference.name, alias["FunctionVersion"])
        if record is None:
            raise errors.function_not_found(self.names.function_arn(reference.name, reference.qualifier))
        return record

    # Telling

    def told_provider(self, record: ProviderRecord) -> Document:
        """Return a capacity provider as the API tells it."""
        return {**record.document, "State": self.control.provider_state(record.name).value}

    def state(self, record: VersionRecord) -> VersionState:
        """Return the state of a version."""
        if record.runs:
            return self.control.version_status(record.arn).state
        return VersionState.DELETING if record.deleting else VersionState.ACTIVE_NON_INVOCABLE

    def told(self, record: VersionRecord) -> Document:
        """Return a version as the API tells it."""
        document = without_state(record)
        if not record.runs:
            return {**document, "State": self.state(record).value, "LastUpdateStatus": "Successful"}
        status = self.control.version_status(record.arn)
        update = _UPDATE_STATUS.get(status.state, "Successful")
        document |= {"State": status.state.value, "LastUpdateStatus": update}
        if status.reason:
            document["StateReason"] = status.reason
        if status.reason_code:
            document["StateReasonCode"] = status.reason_code
        if update == "Failed":
            document["LastUpdateStatusReason"] = status.reason
            if status.reason_code:
                document["LastUpdateStatusReasonCode"] = status.reason_code
        return document


def without_state(record: VersionRecord) -> Document:
    """Return a version as lists tell it, with the concurrency that it has when none was chosen."""
    document = dict(record.document)
    config: Document = document["CapacityProviderConfig"]["LambdaManagedInstancesCapacityProviderConfig"]
    config = {"PerExecutionEnvironmentMaxConcurrency": record.slots, **config}
    return {**document, "CapacityProviderConfig": {"LambdaManagedInstancesCapacityProviderConfig": config}}


def invocable(reference: FunctionReference) -> FunctionReference:
    """Return what runs when `reference` is invoked: without a qualifier, what was published to `$LATEST.PUBLISHED`."""
    if reference.qualifier:
        return reference
    return type(reference)(reference.name, LATEST_PUBLISHED)


def timestamp() -> str:
    """Return the time as `LastModified` has it."""
    now = dt.datetime.now(dt.UTC)
    return f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03}+0000"


def revision() -> str:
    """Make up a `RevisionId`."""
    return str(uuid.uuid4())


def check_revision(wanted: str | None, found: str, what: str) -> None:
    """Refuse to change something that is not what the caller thinks it is.

    Raises:
        ApiError: `wanted`, the caller's `RevisionId`, is another than `found`.
    """
    if wanted and wanted != found:
        raise errors.LambdaError(
            "PreconditionFailedException",
            f"The Revision Id provided does not match the latest Revision Id. Call the {what} API to retrieve the "
            "latest Revision Id",
        )
