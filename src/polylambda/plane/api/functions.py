"""Functions: create, get, list, update, delete.

See https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html and its neighbours.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from polylambda.plane.api import configuration, errors
from polylambda.plane.api.pages import page
from polylambda.plane.api.references import MAX_NAME
from polylambda.plane.api.resources import CREATING, check_revision, without_state
from polylambda.plane.code import LOCAL_FOLDER, BadCode
from polylambda.plane.records import LATEST

if TYPE_CHECKING:
    from collections.abc import Mapping

    from polylambda.plane.api.operations import Operation
    from polylambda.plane.api.resources import Resources
    from polylambda.plane.api.versions import Versions
    from polylambda.plane.code import Code
    from polylambda.plane.records import Document, ProviderRecord, VersionRecord

CODE_PATH = "/code/"
"""Where `GetFunction` says that the code can be downloaded."""


class Functions:
    """The operations on functions."""

    def __init__(self, resources: Resources, versions: Versions) -> None:
        self._resources = resources
        self._store = resources.store
        self._versions = versions

    @property
    def operations(self) -> Mapping[str, Operation]:
        """What is here, by AWS's names."""
        return {
            "CreateFunction": self.create,
            "GetFunction": self.get,
            "GetFunctionConfiguration": self.get_configuration,
            "ListFunctions": self.list_all,
            "UpdateFunctionCode": self.update_code,
            "UpdateFunctionConfiguration": self.update_configuration,
            "DeleteFunction": self.delete,
        }

    async def create(self, parameters: Document) -> Document:
        """Write a function down, and publish it when the caller says so."""
        reference = self._resources.names.function(parameters["FunctionName"])
        name = reference.name
        if len(name) > MAX_NAME or reference.qualifier:
            problem = f"Member must have length less than or equal to {MAX_NAME}, and no qualifier"
            place = f"Value '{parameters['FunctionName']}' at 'functionName'"
            raise errors.validation_error([f"{place} failed to satisfy constraint: {problem}"])
        self._refuse_existing(name)
        config = configuration.managed(parameters)
        if config is None:
            raise errors.invalid_parameter(
                "CapacityProviderConfig is missing: polylambda runs functions on Lambda Managed Instances only"
            )
        provider = self._usable_provider(config["CapacityProviderArn"])
        code = await self._code(parameters["Code"])
        self._refuse_existing(name)  # somebody may have been faster
        arn = self._resources.names.function_arn(name)
        record = configuration.created(name, arn, parameters, code, provider)
        self._put(record)
        if parameters.get("Tags"):
            self._store.put_function_tags(name, parameters["Tags"])
        return self._published(record, parameters) or {**without_state(record), **CREATING}

    def get(self, parameters: Document) -> Document:
        """Tell of a function, where its code is, and its tags."""
        record, told = self._version(parameters)
        name = record.function_name
        reserved = self._store.reserved_concurrency(name)
        return {
            "Configuration": told,
            "Code": {"RepositoryType": "S3", "Location": self._location(record)},
            "Tags": self._store.function_tags(name) or None,
            "Concurrency": None if reserved is None else {"ReservedConcurrentExecutions": reserved},
        }

    def get_configuration(self, parameters: Document) -> Document:
        """Tell of a function, or a version of it."""
        return self._version(parameters)[1]

    def list_all(self, parameters: Document) -> Document:
        """Tell of all functions, or all versions of all; AWS leaves their states out."""
        records = [one for one in self._store.versions() if parameters.get("FunctionVersion") or not one.runs]
        found, marker = page(records, lambda record: record.arn, parameters)
        told = [without_state(record) for record in found]
        if parameters.get("FunctionVersion"):
            told = [{**one, "FunctionArn": record.arn} for one, record in zip(told, found, strict=True)]
        return {"Functions": told, "NextMarker": marker}

    async def update_code(self, parameters: Document) -> Document:
        """Give a function another code, and publish it when the caller says so."""
        before = self._resources.function(parameters["FunctionName"], changing=True)
        check_revision(parameters.get("RevisionId"), before.document["RevisionId"], "GetFunction")
        code = await self._code(parameters)
        before = self._resources.function(parameters["FunctionName"], changing=True)
        provider = self._usable_provider(before.provider)
        record = configuration.with_code(before, code, parameters, provider)
        if parameters.get("DryRun"):
            return self._resources.told(record)
        self._put(record)
        return self._published(record, parameters) or self._resources.told(record)

    def update_configuration(self, parameters: Document) -> Document:
        """Change the configuration of a function's `$LATEST`."""
        before = self._resources.function(parameters["FunctionName"], changing=True)
        check_revision(parameters.get("RevisionId"), before.document["RevisionId"], "GetFunction")
        config = configuration.managed(parameters)
        provider = self._usable_provider(config["CapacityProviderArn"] if config else before.provider)
        record = configuration.updated(before, parameters, provider)
        self._put(record)
        return self._resources.told(record)

    def delete(self, parameters: Document) -> Document:
        """Let a function go, or one version of it; what is under way is finished first."""
        reference = self._resources.names.function(parameters["FunctionName"], parameters.get("Qualifier"))
        self._resources.function(reference.name)
        if reference.qualifier is None:
            # $LATEST last: without it there would be a function that nothing can be found of.
            for record in reversed(self._store.versions_of(reference.name)):
                self._store.put_version(replace(record, deleting=True))
        else:
            self._versions.delete(reference.name, reference.qualifier)
        self._resources.control.wanted_changed()
        return {"StatusCode": 200}

    def _version(self, parameters: Document) -> tuple[VersionRecord, Document]:
        """Return the version that a caller asks for, and how it is told: under the name that the caller gave it."""
        reference = self._resources.names.function(parameters["FunctionName"], parameters.get("Qualifier"))
        record = self._resources.version(reference)
        arn = self._resources.names.function_arn(reference.name, reference.qualifier)
        return record, {**self._resources.told(record), "FunctionArn": arn}

    def _refuse_existing(self, name: str) -> None:
        record = self._store.version(name, LATEST)
        if record is not None and record.deleting:
            raise errors.conflict(f"The function is being deleted: {record.document['FunctionArn']}")
        if record is not None or self._store.versions_of(name):
            raise errors.conflict(f"Function already exist: {name}")

    def _usable_provider(self, reference: str) -> ProviderRecord:
        provider = self._resources.provider(reference)
        if provider.deleting:
            raise errors.invalid_parameter(f"The capacity provider {provider.name} is being deleted")
        return provider

    async def _code(self, parameters: Document) -> Code:
        """Return the code that `parameters` give, a `FunctionCode` or what `UpdateFunctionCode` has of it."""
        code = self._resources.code
        zipped, bucket, key = parameters.get("ZipFile"), parameters.get("S3Bucket"), parameters.get("S3Key")
        try:
            if zipped is not None and bucket is None and key is None:
                return await asyncio.to_thread(code.add_zip, zipped)
            if zipped is None and bucket == LOCAL_FOLDER and key is not None:
                return await asyncio.to_thread(code.reference, key)
        except BadCode as error:
            raise errors.invalid_parameter(str(error)) from error
        if parameters.get("ImageUri"):
            raise errors.invalid_parameter("ImageUri is not supported by polylambda: it runs zip files and folders")
        if bucket is not None and bucket != LOCAL_FOLDER:
            raise errors.invalid_parameter(
                f"There is no S3 here to take {bucket}/{key} from: upload the code as ZipFile, or give S3Bucket "
                f"{LOCAL_FOLDER} and a folder's absolute path as S3Key"
            )
        raise errors.invalid_parameter("Please provide a source for function code.")

    def _published(self, record: VersionRecord, parameters: Document) -> Document | None:
        if not parameters.get("Publish") and not parameters.get("PublishTo"):
            return None
        return self._resources.told(self._versions.publish(record, parameters.get("PublishTo")))

    def _location(self, record: VersionRecord) -> str:
        archive = self._resources.code.archive(record.code)
        if archive is None:
            return Path(record.code).as_uri()
        return f"{self._resources.endpoint()}{CODE_PATH}{archive.name}"

    def _put(self, record: VersionRecord) -> None:
        self._store.put_version(record)
        self._resources.control.wanted_changed()
