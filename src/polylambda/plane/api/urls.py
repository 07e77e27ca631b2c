"""The configuration of function URLs. What comes in through them is in `function_url`.

See https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunctionUrlConfig.html and its neighbours.
"""

from __future__ import annotations

import secrets
import string
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from polylambda.plane.api import errors
from polylambda.plane.api.pages import page
from polylambda.plane.api.resources import timestamp
from polylambda.plane.store import EVERY_QUALIFIER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from polylambda.plane.api.operations import Operation
    from polylambda.plane.api.resources import Resources
    from polylambda.plane.records import Document

_MEMBERS = ("AuthType", "Cors", "InvokeMode")
_ID_CHARACTERS = string.ascii_lowercase + string.digits
_ID_LENGTH = 32


def domain(url_id: str, region: str) -> str:
    """Return the host name of a function URL; names below `localhost` are this machine (RFC 6761, section 6.3)."""
    return f"{url_id}.lambda-url.{region}.localhost"


class UrlConfigs:
    """The operations on function URL configurations."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._store = resources.store

    @property
    def operations(self) -> Mapping[str, Operation]:
        """What is here, by AWS's names."""
        return {
            "CreateFunctionUrlConfig": self.create,
            "GetFunctionUrlConfig": self.get,
            "UpdateFunctionUrlConfig": self.update,
            "DeleteFunctionUrlConfig": self.delete,
            "ListFunctionUrlConfigs": self.list_all,
        }

    def create(self, parameters: Document) -> Document:
        """Give a function, or an alias of it, a URL."""
        function, qualifier = self._key(parameters)
        arn = self._resources.names.function_arn(function, qualifier)
        if self._store.url_config(function, qualifier) is not None:
            raise errors.conflict(f"FunctionUrlConfig exists for this Lambda function: {arn}")
        now = timestamp()
        document = {
            "UrlId": "".join(secrets.choice(_ID_CHARACTERS) for _ in range(_ID_LENGTH)),
            "FunctionArn": arn,
            "InvokeMode": "BUFFERED",
            "CreationTime": now,
        }
        return self._put(function, qualifier, document, parameters)

    def get(self, parameters: Document) -> Document:
        """Tell of one."""
        return self._told(self._found(parameters)[2])

    def update(self, parameters: Document) -> Document:
        """Change what is given of one."""
        function, qualifier, before = self._found(parameters)
        return self._put(function, qualifier, before, parameters)

    def delete(self, parameters: Document) -> Document:
        """Take a function its URL; what comes there is refused from now on."""
        function, qualifier, _ = self._found(parameters)
        self._store.remove_url_config(function, qualifier)
        return {}

    def list_all(self, parameters: Document) -> Document:
        """Tell of all of a function."""
        function = self._resources.function(parameters["FunctionName"]).function_name
        configs = self._store.url_configs(function)
        found, marker = page(configs, lambda config: config["FunctionArn"], parameters)
        return {"FunctionUrlConfigs": [self._told(config) for config in found], "NextMarker": marker}

    def _key(self, parameters: Document) -> tuple[str, str]:
        reference = self._resources.names.function(parameters["FunctionName"], parameters.get("Qualifier"))
        self._resources.function(reference.name)
        if reference.qualifier and self._store.alias(reference.name, reference.qualifier) is None:
            raise errors.function_not_found(self._resources.names.function_arn(reference.name, reference.qualifier))
        return reference.name, reference.qualifier or EVERY_QUALIFIER

    def _found(self, parameters: Document) -> tuple[str, str, Document]:
        function, qualifier = self._key(parameters)
        document = self._store.url_config(function, qualifier)
        if document is None:
            raise errors.not_found("The resource you requested does not exist.")
        return function, qualifier, document

    def _put(self, function: str, qualifier: str, before: Document, parameters: Document) -> Document:
        given = {member: parameters[member] for member in _MEMBERS if member in parameters}
        cors: Document = given.get("Cors") or {}
        if cors.get("AllowCredentials") and "*" in (cors.get("AllowOrigins") or ()):
            raise errors.invalid_parameter("AllowOrigins can't be * when AllowCredentials is true")
        document = {**before, **given, "LastModifiedTime": timestamp()}
        self._store.put_url_config(function, qualifier, document)
        return self._told(document)

    def _told(self, document: Document) -> Document:
        endpoint = urlsplit(self._resources.endpoint())
        host = domain(document["UrlId"], self._resources.names.region)
        port = f":{endpoint.port}" if endpoint.port else ""
        return {**document, "FunctionUrl": f"{endpoint.scheme}://{host}{port}/"}
