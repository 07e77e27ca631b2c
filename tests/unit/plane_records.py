"""Records of functions and capacity providers, as short as a test wants them."""

from __future__ import annotations

from typing import Any

from polylambda.plane.records import ProviderRecord, VersionRecord

REGION = "arn:aws:lambda:us-east-1:123456789012"


def provider(name: str = "pool", *, subnets: int = 3, max_vcpus: int = 400, deleting: bool = False) -> ProviderRecord:
    document = {
        "CapacityProviderArn": f"{REGION}:capacity-provider:{name}",
        "VpcConfig": {"SubnetIds": [f"subnet-{number}" for number in range(subnets)], "SecurityGroupIds": []},
        "CapacityProviderScalingConfig": {"MaxVCpuCount": max_vcpus, "ScalingMode": "Auto"},
    }
    return ProviderRecord(name=name, document=document, deleting=deleting)


def version(function: str = "f", qualifier: str = "1", *, generation: str = "a", **changes: Any) -> VersionRecord:
    document = {
        "FunctionName": function,
        "FunctionArn": f"{REGION}:function:{function}",
        "Runtime": "python3.13",
        "Handler": "app.handler",
        "MemorySize": 2048,
        "Timeout": 3,
        "CapacityProviderConfig": {
            "LambdaManagedInstancesCapacityProviderConfig": {
                "CapacityProviderArn": f"{REGION}:capacity-provider:pool",
                "PerExecutionEnvironmentMaxConcurrency": changes.pop("slots", 4),
            }
        },
        **changes.pop("document", {}),
    }
    return VersionRecord(
        function_name=function,
        qualifier=qualifier,
        document=document,
        code="/nowhere",
        generation=generation,
        **changes,
    )
