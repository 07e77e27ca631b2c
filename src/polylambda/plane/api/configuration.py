"""The configuration of a function: defaults, what Lambda Managed Instances allow, and what this plane can do.

See https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html. botocore's model has the ranges; here is what
it cannot say.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING

from polylambda.plane.api import errors
from polylambda.plane.api.operations import inner
from polylambda.plane.api.resources import revision, timestamp
from polylambda.plane.records import LATEST, VersionRecord

if TYPE_CHECKING:
    from polylambda.plane.code import Code
    from polylambda.plane.records import Document, ProviderRecord

MIN_MEMORY = 2048  # MiB; also the default
MIN_PYTHON = 13  # of python3.x
MEMORY_PER_VCPU = (2.0, 4.0, 8.0)  # GiB
MAX_VARIABLES = 4096  # bytes of all environment variables as JSON

_RUNTIME = re.compile(r"python3\.(?P<python>\d+)|provided\.al2023")

# Members that are told as they were given.
_PLAIN = ("Description", "Environment", "Handler", "KMSKeyArn", "Role", "Runtime", "DeadLetterConfig")

# What managed instances, or functions without AWS around them, cannot have; empty values are let through.
_UNSUPPORTED = (
    "AcceleratorConfig",
    "CodeSigningConfigArn",
    "DurableConfig",
    "FileSystemConfigs",
    "ImageConfig",
    "Layers",
    "RuntimeConfig",
    "TenancyConfig",
)

_IDENTITY = frozenset({"FunctionArn", "LastModified", "RevisionId", "Version", "CodeSize"})
"""Members that change, or differ between versions, without anything changing in an environment."""

_RESERVED = frozenset(
    {
        "_HANDLER",
        "_X_AMZN_TRACE_ID",
        "AWS_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_DEFAULT_REGION",
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_LAMBDA_MAX_CONCURRENCY",
        "AWS_LAMBDA_METADATA_API",
        "AWS_LAMBDA_METADATA_TOKEN",
        "AWS_LAMBDA_RUNTIME_API",
        "AWS_REGION",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "LAMBDA_RUNTIME_DIR",
        "LAMBDA_TASK_ROOT",
    }
)


def created(name: str, arn: str, parameters: Document, code: Code, provider: ProviderRecord) -> VersionRecord:
    """Return the `$LATEST` of a new function.

    Raises:
        ApiError: something in `parameters` is not possible.
    """
    document: Document = {
        "FunctionName": name,
        "FunctionArn": arn,
        "Description": "",
        "Timeout": 3,
        "MemorySize": MIN_MEMORY,
        "TracingConfig": {"Mode": "PassThrough"},
        "PackageType": "Zip",
        "Architectures": parameters.get("Architectures") or ["x86_64"],
        "EphemeralStorage": {"Size": 512},
        "LoggingConfig": {
            "LogFormat": "JSON",
            "ApplicationLogLevel": "INFO",
            "SystemLogLevel": "INFO",
            "LogGroup": f"/aws/lambda/{name}",
        },
        "Version": LATEST,
    }
    return _record(name, document, parameters, code.folder, _told(code), provider)


def updated(record: VersionRecord, parameters: Document, provider: ProviderRecord) -> VersionRecord:
    """Return `$LATEST` with another configuration; raises as `created` does."""
    return _record(record.function_name, dict(record.document), parameters, record.code, {}, provider)


def with_code(record: VersionRecord, code: Code, parameters: Document, provider: ProviderRecord) -> VersionRecord:
    """Return `$LATEST` with another code; raises as `created` does."""
    document = dict(record.document)
    document["Architectures"] = parameters.get("Architectures") or document["Architectures"]
    return _record(record.function_name, document, {}, code.folder, _told(code), provider)


def managed(parameters: Document) -> Document | None:
    """Return the `LambdaManagedInstancesCapacityProviderConfig` of `parameters`, when there is one."""
    config: Document | None = parameters.get("CapacityProviderConfig")
    return config["LambdaManagedInstancesCapacityProviderConfig"] if config else None


def _told(code: Code) -> Document:
    return {"CodeSha256": code.sha256, "CodeSize": code.size}


def _record(
    name: str, document: Document, parameters: Document, folder: str, code: Document, provider: ProviderRecord
) -> VersionRecord:
    _refuse_unsupported(parameters)
    document |= {member: parameters[member] for member in _PLAIN if member in parameters}
    document |= {member: parameters[member] for member in ("Timeout", "MemorySize") if member in parameters}
    for member in ("TracingConfig", "EphemeralStorage", "LoggingConfig"):
        document[member] = document[member] | inner(parameters, member)
    if (config := managed(parameters)) is not None:
        before = managed(document) or {"ExecutionEnvironmentMemoryGiBPerVCpu": MEMORY_PER_VCPU[0]}
        config = before | config | {"CapacityProviderArn": provider.arn}
        document["CapacityProviderConfig"] = {"LambdaManagedInstancesCapacityProviderConfig": config}
    if not inner(document, "DeadLetterConfig").get("TargetArn"):
        document.pop("DeadLetterConfig", None)
    document |= code | {"LastModified": timestamp(), "RevisionId": revision()}
    _check(document, provider)
    return VersionRecord(
        function_name=name, qualifier=LATEST, document=document, code=folder, generation=_generation(document, folder)
    )


def _generation(document: Document, folder: str) -> str:
    facts = [folder, {name: value for name, value in document.items() if name not in _IDENTITY}]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]


def _check(document: Document, provider: ProviderRecord) -> None:
    if not document.get("Runtime") or not document.get("Handler"):
        raise errors.invalid_parameter(
            "Runtime and Handler are mandatory parameters for functions created with deployment packages."
        )
    runtime: str = document["Runtime"]
    match = _RUNTIME.fullmatch(runtime)
    if match is None or int(match["python"] or MIN_PYTHON) < MIN_PYTHON:
        raise errors.invalid_parameter(
            f"The runtime {runtime} cannot be used: of those that Lambda Managed Instances support, polylambda runs "
            f"python3.{MIN_PYTHON} and later, and provided.al2023"
        )
    if document["MemorySize"] < MIN_MEMORY:
        raise errors.invalid_parameter(
            f"Lambda Managed Instance functions must have memory size greater than or equal to {MIN_MEMORY}"
        )
    if (managed(document) or {})["ExecutionEnvironmentMemoryGiBPerVCpu"] not in MEMORY_PER_VCPU:
        raise errors.invalid_parameter("ExecutionEnvironmentMemoryGiBPerVCpu must be 2, 4 or 8")
    if document["Architectures"][0] != provider.architecture:
        raise errors.invalid_parameter(
            f"The architecture of the function ({document['Architectures'][0]}) must be the one of the capacity "
            f"provider {provider.name} ({provider.architecture})"
        )
    if document["LoggingConfig"]["LogFormat"] != "JSON":
        raise errors.invalid_parameter("LogFormat must be JSON for Lambda Managed Instances functions")
    _check_variables(inner(document, "Environment").get("Variables") or {})


def _refuse_unsupported(parameters: Document) -> None:
    vpc: Document = inner(parameters, "VpcConfig")
    if vpc.get("SubnetIds") or vpc.get("SecurityGroupIds"):
        raise errors.invalid_parameter(
            "VpcConfig isn't supported for Lambda Managed Instances functions: the capacity provider has it"
        )
    if inner(parameters, "SnapStart").get("ApplyOn") == "PublishedVersions":
        raise errors.invalid_parameter("SnapStart isn't supported for Lambda Managed Instances functions")
    if parameters.get("PackageType") == "Image":
        raise errors.invalid_parameter(
            "PackageType Image is not supported by polylambda: it runs zip files and folders"
        )
    for member in _UNSUPPORTED:
        if parameters.get(member):
            raise errors.invalid_parameter(f"{member} is not supported by polylambda")


def _check_variables(variables: dict[str, str]) -> None:
    """Apply AWS's rules: https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html."""
    problem = (
        "Lambda was unable to configure your environment variables because the environment variables you have provided"
    )
    reserved = sorted(_RESERVED.intersection(variables))
    if reserved:
        raise errors.invalid_parameter(
            f"{problem} contains reserved keys that are currently not supported for modification. "
            f"Reserved keys used in this request: {', '.join(reserved)}"
        )
    if any("\0" in value for value in variables.values()):
        raise errors.invalid_parameter(f"{problem} contains a NUL character, which no process can be given")
    size = len(json.dumps(variables, separators=(",", ":"), ensure_ascii=False).encode())
    if size > MAX_VARIABLES:
        raise errors.invalid_parameter(f"{problem} exceeded the 4KB limit. Bytes measured: {size}")
