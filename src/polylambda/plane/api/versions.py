"""Versions: publish, list, delete, and how far they scale.

See https://docs.aws.amazon.com/lambda/latest/api/API_PublishVersion.html and API_PutFunctionScalingConfig.html.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from polylambda.plane.api import errors
from polylambda.plane.api.operations import inner
from polylambda.plane.api.pages import page
from polylambda.plane.api.resources import check_revision, revision, timestamp
from polylambda.plane.records import DEFAULT_MIN_ENVIRONMENTS, LATEST, LATEST_PUBLISHED, VersionRecord
from polylambda.plane.states import VersionState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from polylambda.plane.api.operations import Operation
    from polylambda.plane.api.resources import Resources
    from polylambda.plane.records import Document

MAX_VERSIONS = 100
"""Versions that one capacity provider runs."""

TO_LATEST_PUBLISHED = "LATEST_PUBLISHED"


class Versions:
    """The operations on versions of functions."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._store = resources.store

    @property
    def operations(self) -> Mapping[str, Operation]:
        """What is here, by AWS's names."""
        return {
            "PublishVersion": self.publish_version,
            "ListVersionsByFunction": self.list_versions,
            "PutFunctionScalingConfig": self.put_scaling,
            "GetFunctionScalingConfig": self.get_scaling,
        }

    def publish_version(self, parameters: Document) -> Document:
        """Make a version of `$LATEST` as it is now."""
        latest = self._resources.function(parameters["FunctionName"], changing=True)
        check_revision(parameters.get("RevisionId"), latest.document["RevisionId"], "GetFunction")
        wanted, found = parameters.get("CodeSha256"), latest.document["CodeSha256"]
        if wanted and wanted != found:
            raise errors.invalid_parameter(
                f"CodeSHA256 ({wanted}) is different from current CodeSHA256 in $LATEST ({found}). "
                "Please try again with the CodeSHA256 in $LATEST."
            )
        return self._resources.told(self.publish(latest, parameters.get("PublishTo"), parameters.get("Description")))

    def publish(self, latest: VersionRecord, to: str | None, description: str | None = None) -> VersionRecord:
        """Return the version that has what `latest` has: a new one, when it changed since it was last published.

        One that did not change and is Failed begins anew: what it failed for may be different now.

        Args:
            latest: `$LATEST`.
            to: "LATEST_PUBLISHED" for `$LATEST.PUBLISHED`, which keeps its scaling; None for the next number.
            description: of the version; None: the function's.

        Raises:
            ApiError: the capacity provider has as many versions as it may, or the old version is being deleted.
        """
        name = latest.function_name
        before = self._store.version(name, LATEST_PUBLISHED) if to == TO_LATEST_PUBLISHED else self._last_number(name)
        if before is not None and before.deleting and to == TO_LATEST_PUBLISHED:
            raise errors.conflict(f"The version is being deleted: {before.arn}")
        if before is not None and not before.deleting and before.generation == latest.generation:
            return self._tried_again(before)
        if before is None or to != TO_LATEST_PUBLISHED:
            self._check_count(latest.provider)
        qualifier = LATEST_PUBLISHED if to == TO_LATEST_PUBLISHED else self._store.next_version(name)
        document = {
            **latest.document,
            "FunctionArn": self._resources.names.function_arn(name, qualifier),
            "Version": qualifier,
            "LastModified": timestamp(),
            "RevisionId": revision(),
        }
        if description is not None:
            document["Description"] = description
        record = replace(latest, qualifier=qualifier, document=document)
        if before is not None and to == TO_LATEST_PUBLISHED:
            record = record.with_scaling(before.min_environments, before.max_environments)
        self._store.put_version(record)
        self._resources.control.wanted_changed()
        return record

    def list_versions(self, parameters: Document) -> Document:
        """Tell of the versions of a function, `$LATEST` first."""
        records = self._store.versions_of(self._resources.function(parameters["FunctionName"]).function_name)
        found, marker = page(records, _order, parameters)
        told = [{**self._resources.told(record), "FunctionArn": record.arn} for record in found]
        return {"Versions": told, "NextMarker": marker}

    def delete(self, name: str, qualifier: str) -> None:
        """Let one version of a function go; one that is not there is gone already.

        Raises:
            ApiError: it is `$LATEST`, or an alias, or an alias refers to it.
        """
        if qualifier == LATEST:
            raise errors.invalid_parameter("$LATEST version cannot be deleted without deleting the function.")
        if self._store.alias(name, qualifier) is not None:
            raise errors.invalid_parameter(f"{qualifier} is an alias: delete it with DeleteAlias")
        for alias in self._store.aliases(name):
            weights = inner(inner(alias, "RoutingConfig"), "AdditionalVersionWeights")
            if qualifier == alias["FunctionVersion"] or qualifier in weights:
                raise errors.conflict(f"Version {qualifier} is referenced by the alias {alias['AliasArn']}")
        record = self._store.version(name, qualifier)
        if record is not None:
            self._store.put_version(replace(record, deleting=True))

    def put_scaling(self, parameters: Document) -> Document:
        """Say how many environments a version has, at least and at most; what is left out gets its default."""
        record = self._published(parameters)
        if record.deleting:
            raise errors.conflict(f"The version is being deleted: {record.arn}")
        wanted: Document = inner(parameters, "FunctionScalingConfig")
        maximum: int | None = wanted.get("MaxExecutionEnvironments")
        minimum: int = wanted.get("MinExecutionEnvironments", DEFAULT_MIN_ENVIRONMENTS)
        if minimum == 0 and maximum != 0:
            raise errors.invalid_parameter("MinExecutionEnvironments can be 0 only when MaxExecutionEnvironments is 0")
        if maximum is not None and minimum > maximum:
            raise errors.invalid_parameter(
                f"MinExecutionEnvironments ({minimum}) must be less than or equal to MaxExecutionEnvironments ({maximum})"
            )
        record = record.with_scaling(minimum, maximum)
        self._store.put_version(record)
        self._resources.control.wanted_changed()
        return {"FunctionState": self._resources.state(record).value}

    def get_scaling(self, parameters: Document) -> Document:
        """Tell how many environments are wanted, and what the fleet has converged to."""
        record = self._published(parameters)
        applied = self._resources.control.applied_scaling(record.arn)
        return {
            "FunctionArn": record.arn,
            "AppliedFunctionScalingConfig": None if applied is None else _told(*applied),
            "RequestedFunctionScalingConfig": _told(record.min_environments, record.max_environments),
        }

    def _tried_again(self, record: VersionRecord) -> VersionRecord:
        if self._resources.state(record) is not VersionState.FAILED:
            return record
        # A change of any kind is what makes the plane try.
        record = replace(record, document={**record.document, "RevisionId": revision()})
        self._store.put_version(record)
        self._resources.control.wanted_changed()
        return record

    def _published(self, parameters: Document) -> VersionRecord:
        names = self._resources.names
        return self._resources.version(names.function(parameters["FunctionName"], parameters["Qualifier"]))

    def _last_number(self, name: str) -> VersionRecord | None:
        numbered = [record for record in self._store.versions_of(name) if record.qualifier.isdigit()]
        return numbered[-1] if numbered else None

    def _check_count(self, provider: str) -> None:
        count = sum(one.runs and one.provider == provider and not one.deleting for one in self._store.versions())
        if count >= MAX_VERSIONS:
            raise errors.LambdaError(
                "FunctionVersionsPerCapacityProviderLimitExceededException",
                f"The capacity provider {provider} has {count} function versions, the limit is {MAX_VERSIONS}",
            )


def _order(record: VersionRecord) -> str:
    return f"{int(record.qualifier):020}" if record.qualifier.isdigit() else record.qualifier  # "$" is before "0"


def _told(minimum: int, maximum: int | None) -> Document:
    told = {"MinExecutionEnvironments": minimum}
    return told if maximum is None else {**told, "MaxExecutionEnvironments": maximum}
