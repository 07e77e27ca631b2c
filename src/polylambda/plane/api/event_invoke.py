"""How asynchronous invocations are retried, and where their results go.

See https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionEventInvokeConfig.html and its neighbours.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from polylambda.local.apierror import ApiError
from polylambda.plane.api import errors
from polylambda.plane.api.operations import inner
from polylambda.plane.api.pages import page
from polylambda.plane.records import LATEST

if TYPE_CHECKING:
    from collections.abc import Mapping

    from polylambda.plane.api.operations import Operation
    from polylambda.plane.api.resources import Resources
    from polylambda.plane.records import Document

_MEMBERS = ("MaximumRetryAttempts", "MaximumEventAgeInSeconds", "DestinationConfig")


class EventInvokeConfigs:
    """The operations on event-invoke configurations."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._store = resources.store

    @property
    def operations(self) -> Mapping[str, Operation]:
        """What is here, by AWS's names."""
        return {
            "PutFunctionEventInvokeConfig": self.put,
            "UpdateFunctionEventInvokeConfig": self.update,
            "GetFunctionEventInvokeConfig": self.get,
            "DeleteFunctionEventInvokeConfig": self.delete,
            "ListFunctionEventInvokeConfigs": self.list_all,
        }

    def put(self, parameters: Document) -> Document:
        """Replace a configuration: what is left out has AWS's defaults again."""
        return self._put(parameters, {})

    def update(self, parameters: Document) -> Document:
        """Change what is given of a configuration."""
        return self._put(parameters, self._found(parameters))

    def get(self, parameters: Document) -> Document:
        """Tell of one."""
        return self._found(parameters)

    def delete(self, parameters: Document) -> Document:
        """Remove one."""
        self._found(parameters)
        self._store.remove_event_invoke_config(*self._key(parameters))
        return {}

    def list_all(self, parameters: Document) -> Document:
        """Tell of all of a function."""
        function = self._resources.function(parameters["FunctionName"]).function_name
        configs = self._store.event_invoke_configs(function)
        found, marker = page(configs, lambda config: config["FunctionArn"], parameters)
        return {"FunctionEventInvokeConfigs": found, "NextMarker": marker}

    def _key(self, parameters: Document) -> tuple[str, str]:
        reference = self._resources.names.function(parameters["FunctionName"], parameters.get("Qualifier"))
        self._resources.version(reference)
        return reference.name, reference.qualifier or LATEST

    def _found(self, parameters: Document) -> Document:
        function, qualifier = self._key(parameters)
        document = self._store.event_invoke_config(function, qualifier)
        if document is None:
            arn = self._resources.names.function_arn(function, qualifier)
            raise errors.not_found(f"The function {arn} doesn't have an EventInvokeConfig")
        return document

    def _put(self, parameters: Document, before: Document) -> Document:
        function, qualifier = self._key(parameters)
        given = {member: parameters[member] for member in _MEMBERS if member in parameters}
        if not given:
            raise errors.invalid_parameter("You must specify at least one of error handling or destination setting.")
        destinations: Document = inner(given, "DestinationConfig")
        for kind in ("OnSuccess", "OnFailure"):
            self._check_destination(inner(destinations, kind).get("Destination"))
        document: Document = {
            "DestinationConfig": {"OnSuccess": {}, "OnFailure": {}},
            **before,
            **given,
            "FunctionArn": self._resources.names.function_arn(function, qualifier),
            "LastModified": round(time.time(), 3),
        }
        self._store.put_event_invoke_config(function, qualifier, document)
        return document

    def _check_destination(self, arn: str | None) -> None:
        if not arn:
            return
        if ":lambda:" not in arn:
            raise errors.invalid_parameter(
                f"The destination ARN {arn} is not a function: polylambda delivers to functions only"
            )
        try:
            self._resources.version(self._resources.names.function(arn))
        except ApiError as error:
            raise errors.invalid_parameter(f"The destination ARN {arn} is invalid: {error.message}") from error
