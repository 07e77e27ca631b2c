"""Aliases of versions. See https://docs.aws.amazon.com/lambda/latest/api/API_CreateAlias.html and its neighbours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polylambda.plane.api import errors
from polylambda.plane.api.operations import inner
from polylambda.plane.api.pages import page
from polylambda.plane.api.resources import check_revision, revision
from polylambda.plane.records import LATEST

if TYPE_CHECKING:
    from collections.abc import Mapping

    from polylambda.plane.api.operations import Operation
    from polylambda.plane.api.resources import Resources
    from polylambda.plane.records import Document


class Aliases:
    """The operations on aliases."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._store = resources.store

    @property
    def operations(self) -> Mapping[str, Operation]:
        """What is here, by AWS's names."""
        return {
            "CreateAlias": self.create,
            "GetAlias": self.get,
            "UpdateAlias": self.update,
            "DeleteAlias": self.delete,
            "ListAliases": self.list_all,
        }

    def create(self, parameters: Document) -> Document:
        """Give a version another name."""
        function = self._resources.function(parameters["FunctionName"], changing=True).function_name
        name: str = parameters["Name"]
        arn = self._resources.names.function_arn(function, name)
        if self._store.alias(function, name) is not None:
            raise errors.conflict(f"Alias already exists: {arn}")
        document = {"AliasArn": arn, "Name": name, "Description": ""}
        return self._put(function, document, parameters)

    def get(self, parameters: Document) -> Document:
        """Tell of one."""
        return self._found(parameters)[1]

    def update(self, parameters: Document) -> Document:
        """Let an alias mean another version."""
        function, before = self._found(parameters)
        check_revision(parameters.get("RevisionId"), before["RevisionId"], "GetAlias")
        return self._put(function, before, parameters)

    def delete(self, parameters: Document) -> Document:
        """Remove an alias; one that is not there is no error."""
        function = self._resources.function(parameters["FunctionName"]).function_name
        self._store.remove_alias(function, parameters["Name"])
        return {}

    def list_all(self, parameters: Document) -> Document:
        """Tell of all of a function, or those of one version."""
        function = self._resources.function(parameters["FunctionName"]).function_name
        version: str | None = parameters.get("FunctionVersion")
        aliases = [one for one in self._store.aliases(function) if version in (None, one["FunctionVersion"])]
        found, marker = page(aliases, lambda alias: alias["Name"], parameters)
        return {"Aliases": found, "NextMarker": marker}

    def _found(self, parameters: Document) -> tuple[str, Document]:
        function = self._resources.function(parameters["FunctionName"]).function_name
        document = self._store.alias(function, parameters["Name"])
        if document is None:
            arn = self._resources.names.function_arn(function, parameters["Name"])
            raise errors.not_found(f"Cannot find alias arn: {arn}")
        return function, document

    def _put(self, function: str, before: Document, parameters: Document) -> Document:
        document = before | {"RevisionId": revision()}
        for member in ("FunctionVersion", "Description"):
            if member in parameters:
                document[member] = parameters[member]
        if "RoutingConfig" in parameters:
            document.pop("RoutingConfig", None)
            if parameters["RoutingConfig"].get("AdditionalVersionWeights"):
                document["RoutingConfig"] = parameters["RoutingConfig"]
        self._check_versions(function, document)
        self._store.put_alias(function, document["Name"], document)
        return document

    def _check_versions(self, function: str, document: Document) -> None:
        weights: dict[str, float] = inner(document, "RoutingConfig").get("AdditionalVersionWeights") or {}
        if len(weights) > 1 or document["FunctionVersion"] in weights:
            raise errors.invalid_parameter("RoutingConfig takes one version beside the alias's own")
        if weights and document["FunctionVersion"] == LATEST:
            raise errors.invalid_parameter("$LATEST is not supported for an alias pointing to more than 1 version")
        for version in (document["FunctionVersion"], *weights):
            record = self._store.version(function, version)
            if record is None or record.deleting:
                raise errors.function_not_found(self._resources.names.function_arn(function, version))
