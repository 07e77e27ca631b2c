"""Capacity providers: create, get, update, list, delete, and the versions that run on one.

See https://docs.aws.amazon.com/lambda/latest/api/API_CreateCapacityProvider.html and its neighbours.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from polylambda.plane import instance_types
from polylambda.plane.api import errors
from polylambda.plane.api.operations import inner
from polylambda.plane.api.pages import page
from polylambda.plane.api.resources import timestamp
from polylambda.plane.records import ProviderRecord

if TYPE_CHECKING:
    from collections.abc import Mapping

    from polylambda.plane.api.operations import Operation
    from polylambda.plane.api.resources import Resources
    from polylambda.plane.records import Document, VersionRecord

MAX_PROVIDERS = 1000
MAX_VCPUS = 400
_CPU = "LambdaCapacityProviderAverageCPUUtilization"


class CapacityProviders:
    """The operations on capacity providers."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._store = resources.store

    @property
    def operations(self) -> Mapping[str, Operation]:
        """What is here, by AWS's names."""
        return {
            "CreateCapacityProvider": self.create,
            "GetCapacityProvider": self.get,
            "UpdateCapacityProvider": self.update,
            "DeleteCapacityProvider": self.delete,
            "ListCapacityProviders": self.list_all,
            "ListFunctionVersionsByCapacityProvider": self.list_versions,
        }

    def create(self, parameters: Document) -> Document:
        """Write a capacity provider down; it gets instances when a version is published on it."""
        name = self._resources.names.provider(parameters["CapacityProviderName"])
        if self._store.provider(name) is not None:
            raise errors.conflict(f"Capacity provider already exists: {name}")
        if len(self._store.providers()) >= MAX_PROVIDERS:
            raise errors.LambdaError(
                "CapacityProviderLimitExceededException", f"An account has at most {MAX_PROVIDERS} capacity providers"
            )
        logging = {"SystemLogLevel": "INFO", "LogGroup": f"/aws/lambda/capacity-provider/{name}"}
        telemetry: Document = inner(parameters, "TelemetryConfig")
        document: Document = {
            "CapacityProviderArn": self._resources.names.provider_arn(name),
            "VpcConfig": parameters["VpcConfig"],
            "PermissionsConfig": parameters["PermissionsConfig"],
            "InstanceRequirements": _requirements(inner(parameters, "InstanceRequirements")),
            "CapacityProviderScalingConfig": _scaling(inner(parameters, "CapacityProviderScalingConfig"), {}),
            "PropagateTags": _propagation(inner(parameters, "PropagateTags")),
            "TelemetryConfig": {"LoggingConfig": logging | (inner(telemetry, "LoggingConfig"))},
            "LastModified": timestamp(),
        }
        if parameters.get("KmsKeyArn"):
            document["KmsKeyArn"] = parameters["KmsKeyArn"]
        return self._put(ProviderRecord(name=name, document=document, tags=inner(parameters, "Tags")))

    def get(self, parameters: Document) -> Document:
        """Tell of one."""
        record = self._resources.provider(parameters["CapacityProviderName"])
        return {"CapacityProvider": self._resources.told_provider(record)}

    def update(self, parameters: Document) -> Document:
        """Change how far it scales, its tags' propagation, or its log."""
        record = self._resources.provider(parameters["CapacityProviderName"])
        if record.deleting:
            raise errors.conflict(f"The capacity provider is being deleted: {record.name}")
        document: Document = {**record.document, "LastModified": timestamp()}
        if (wanted := parameters.get("CapacityProviderScalingConfig")) is not None:
            document["CapacityProviderScalingConfig"] = _scaling(wanted, document["CapacityProviderScalingConfig"])
        if (tags := parameters.get("PropagateTags")) is not None:
            document["PropagateTags"] = _propagation(tags)
        if (telemetry := parameters.get("TelemetryConfig")) is not None:
            logging = document["TelemetryConfig"]["LoggingConfig"] | (inner(telemetry, "LoggingConfig"))
            document["TelemetryConfig"] = {"LoggingConfig": logging}
        return self._put(replace(record, document=document))

    def delete(self, parameters: Document) -> Document:
        """Let it go, when no function is on it."""
        record = self._resources.provider(parameters["CapacityProviderName"])
        staying = [version for version in self._versions(record.name) if not version.deleting]
        if staying:
            raise errors.conflict(
                f"The capacity provider {record.name} has function versions, {staying[0].arn} among them: "
                "delete the functions first"
            )
        return self._put(replace(record, deleting=True))

    def list_all(self, parameters: Document) -> Document:
        """Tell of all, or those in one state."""
        wanted: str | None = parameters.get("State")
        records = [
            record
            for record in self._store.providers()
            if wanted is None or self._resources.control.provider_state(record.name).value == wanted
        ]
        found, marker = page(records, lambda record: record.name, parameters)
        return {"CapacityProviders": [self._resources.told_provider(one) for one in found], "NextMarker": marker}

    def list_versions(self, parameters: Document) -> Document:
        """Tell which versions are on it."""
        record = self._resources.provider(parameters["CapacityProviderName"])
        found, marker = page(self._versions(record.name), lambda version: version.arn, parameters)
        versions = [{"FunctionArn": one.arn, "State": self._resources.state(one).value} for one in found]
        return {"CapacityProviderArn": record.arn, "FunctionVersions": versions, "NextMarker": marker}

    def _versions(self, name: str) -> list[VersionRecord]:
        return [version for version in self._store.versions() if version.provider == name]

    def _put(self, record: ProviderRecord) -> Document:
        self._store.put_provider(record)
        self._resources.control.wanted_changed()
        return {"CapacityProvider": self._resources.told_provider(record)}


def _requirements(wanted: Document) -> Document:
    allowed, excluded = wanted.get("AllowedInstanceTypes"), wanted.get("ExcludedInstanceTypes")
    if allowed and excluded:
        raise errors.invalid_parameter("AllowedInstanceTypes and ExcludedInstanceTypes can't be specified together")
    requirements = {"Architectures": ["x86_64"], **wanted}
    if not instance_types.select(requirements["Architectures"][0], allowed or (), excluded or ()):
        raise errors.invalid_parameter(
            f"No instance type that polylambda knows has the architecture {requirements['Architectures'][0]} and is "
            "allowed by the instance requirements"
        )
    return requirements


def _scaling(wanted: Document, before: Document) -> Document:
    scaling: Document = {"MaxVCpuCount": MAX_VCPUS, "ScalingMode": "Auto", **before, **wanted}
    if wanted.get("ScalingMode") == "Auto" and "ScalingPolicies" not in wanted:
        scaling.pop("ScalingPolicies", None)  # left over from the manual mode
    policies = scaling.get("ScalingPolicies")
    if scaling["ScalingMode"] == "Auto":
        if policies:
            raise errors.invalid_parameter("A scaling policy can't be specified when the scalingMode is set to Auto")
    elif not policies:
        raise errors.invalid_parameter("A scaling policy must be specified when the scalingMode is set to Manual")
    elif len(policies) > 1 or policies[0]["PredefinedMetricType"] != _CPU:
        raise errors.invalid_parameter(f"polylambda scales by one policy, whose PredefinedMetricType is {_CPU}")
    elif policies[0]["TargetValue"] <= 0:
        raise errors.invalid_parameter("TargetValue must be greater than 0")
    return scaling


def _propagation(wanted: Document) -> Document:
    propagation = {"Mode": "None", **wanted}
    if propagation["Mode"] == "None" and propagation.get("ExplicitTags"):
        raise errors.invalid_parameter("ExplicitTags can be specified only when Mode is Explicit")
    return propagation
