"""A script with boto3, as one would write it for AWS, on a real plane; every answer is held against botocore's shapes."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import botocore.exceptions
import pytest
from botocore.config import Config
from botocore.eventstream import EventStream
from botocore.response import StreamingBody
from botocore.validate import ParamValidator

from tests.integration.plane_process import ROLE, PlaneProcess, wait_until, zipped

APP = """
import json, os, time
from pathlib import Path

def handler(event, context):
    if event.get("fail"):
        raise ValueError("on purpose")
    time.sleep(event.get("seconds", 0))
    return {"number": event.get("number"), "version": context.function_version}

def pieces(event, context):
    for number in range(event["count"]):
        yield f"piece {number};".encode()
    if event.get("break"):
        raise RuntimeError("in the middle")

def told(event, context):
    Path(os.environ["TOLD"]).write_text(json.dumps(event))
"""


class Checked:
    """A client whose every answer is checked."""

    def __init__(self, url: str) -> None:
        config = Config(max_pool_connections=40, retries={"max_attempts": 0})
        self._client = boto3.client("lambda", endpoint_url=url, config=config)
        self.checked: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Any:
        operation = self._client.meta.method_to_api_mapping[name]
        shape = self._client.meta.service_model.operation_model(operation).output_shape

        def call(**parameters: Any) -> Any:
            response = getattr(self._client, name)(**parameters)
            answer = {key: value for key, value in response.items() if key != "ResponseMetadata"}
            streams = [key for key, value in answer.items() if isinstance(value, StreamingBody | EventStream)]
            if shape is not None:
                answer = {key: value for key, value in answer.items() if key not in streams}
                report = ParamValidator().validate(answer, shape)
                assert not report.has_errors(), report.generate_report()
                assert answer.keys() <= shape.members.keys()
            self.checked[operation] += 1
            return response

        return call

    def wait(self, waiter: str, **parameters: Any) -> None:
        self._client.get_waiter(waiter).wait(**parameters, WaiterConfig={"Delay": 1, "MaxAttempts": 60})


@pytest.fixture
def plane(tmp_path: Path) -> Iterator[PlaneProcess]:
    with PlaneProcess(tmp_path / "data", "--time-scale", "60", "--cores-per-vcpu", "1") as plane:
        yield plane


def managed(provider: str, slots: int) -> dict[str, Any]:
    return {
        "LambdaManagedInstancesCapacityProviderConfig": {
            "CapacityProviderArn": provider,
            "PerExecutionEnvironmentMaxConcurrency": slots,
        }
    }


def read(response: Any) -> Any:
    return json.loads(response["Payload"].read())


def test_the_life_of_a_function_on_managed_instances(plane: PlaneProcess, tmp_path: Path) -> None:
    client = Checked(plane.url)

    # A capacity provider
    created = client.create_capacity_provider(
        CapacityProviderName="pool",
        VpcConfig={"SubnetIds": ["subnet-a1", "subnet-b2", "subnet-c3"], "SecurityGroupIds": ["sg-1"]},
        PermissionsConfig={"CapacityProviderOperatorRoleArn": ROLE},
        InstanceRequirements={"Architectures": ["x86_64"], "AllowedInstanceTypes": ["m7i.*"]},
        CapacityProviderScalingConfig={"MaxVCpuCount": 100, "ScalingMode": "Auto"},
        Tags={"made": "by a test"},
    )["CapacityProvider"]
    assert created["State"] in ("Pending", "Active")
    provider = created["CapacityProviderArn"]
    wait_until(
        lambda: client.get_capacity_provider(CapacityProviderName="pool")["CapacityProvider"]["State"] == "Active",
        "the capacity provider is Active",
    )

    # Functions, published, waited for
    for name, handler in (("work", "app.handler"), ("stream", "app.pieces"), ("told", "app.told")):
        created = client.create_function(
            FunctionName=name,
            Runtime="python3.13",
            Handler=handler,
            Role=ROLE,
            Code={"ZipFile": zipped(app__py=APP)},
            Timeout=10,
            MemorySize=2048,
            Environment={"Variables": {"TOLD": str(tmp_path / "told")}},
            CapacityProviderConfig=managed(provider, 16 if name == "work" else 2),
        )
        assert (created["State"], created["Version"]) == ("Pending", "$LATEST")
        client.wait("function_updated_v2", FunctionName=name)
        published = client.publish_version(FunctionName=name)
        assert (published["State"], published["Version"]) == ("Pending", "1")
    for name in ("work", "stream", "told"):
        client.wait("published_version_active", FunctionName=name, Qualifier="1")
    client.create_alias(FunctionName="work", Name="live", FunctionVersion="1")
    assert client.get_function_configuration(FunctionName="work")["State"] == "ActiveNonInvocable"

    # 500 invocations from 32 threads
    def invoke(number: int) -> Any:
        response = client.invoke(FunctionName="work", Qualifier="live", Payload=json.dumps({"number": number}).encode())
        assert (response["StatusCode"], response["ExecutedVersion"]) == (200, "1")
        assert "FunctionError" not in response
        return read(response)

    with ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(invoke, range(500)))
    assert answers == [{"number": number, "version": "1"} for number in range(500)]

    # Errors, log, streaming
    response = client.invoke(FunctionName="work:1", Payload=b'{"fail": true}', LogType="Tail")
    assert response["FunctionError"] == "Unhandled"
    assert response["LogResult"]
    assert read(response)["errorType"] == "ValueError"
    response = client.invoke_with_response_stream(FunctionName="stream", Qualifier="1", Payload=b'{"count": 3}')
    *chunks, end = list(response["EventStream"])
    assert b"".join(chunk["PayloadChunk"]["Payload"] for chunk in chunks) == b"piece 0;piece 1;piece 2;"
    assert "ErrorCode" not in end["InvokeComplete"]
    response = client.invoke_with_response_stream(
        FunctionName="stream", Qualifier="1", Payload=b'{"count": 1, "break": true}'
    )
    *_, end = list(response["EventStream"])
    assert end["InvokeComplete"]["ErrorCode"]
    with pytest.raises(botocore.exceptions.ClientError, match="NoPublishedVersionException"):
        client.invoke(FunctionName="work", Payload=b"{}")

    # An asynchronous failure and its destination
    told_arn = client.get_function_configuration(FunctionName="told", Qualifier="1")["FunctionArn"]
    client.put_function_event_invoke_config(
        FunctionName="work",
        Qualifier="1",
        MaximumRetryAttempts=1,
        MaximumEventAgeInSeconds=600,
        DestinationConfig={"OnFailure": {"Destination": told_arn}},
    )
    response = client.invoke(
        FunctionName="work", Qualifier="1", InvocationType="Event", Payload=b'{"fail": true, "number": 7}'
    )
    assert response["StatusCode"] == 202
    wait_until((tmp_path / "told").exists, "the destination is told")
    record = wait_until(lambda: json.loads((tmp_path / "told").read_text() or "null"), "the record is written")
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == 2
    assert record["requestContext"]["requestId"] == response["ResponseMetadata"]["RequestId"]
    assert record["requestPayload"] == {"fail": True, "number": 7}
    assert record["responseContext"]["functionError"] == "Unhandled"
    assert record["responsePayload"]["errorType"] == "ValueError"

    # Scaling
    client.put_function_scaling_config(
        FunctionName="work",
        Qualifier="1",
        FunctionScalingConfig={"MinExecutionEnvironments": 4, "MaxExecutionEnvironments": 6},
    )
    wait_until(
        lambda: (
            client.get_function_scaling_config(FunctionName="work", Qualifier="1")
            .get("AppliedFunctionScalingConfig", {})
            .get("MinExecutionEnvironments")
            == 4
        ),
        "the new scaling config is applied",
    )
    assert 4 <= len(plane.ready("work")) <= 6
    client.put_function_scaling_config(
        FunctionName="stream",
        Qualifier="1",
        FunctionScalingConfig={"MinExecutionEnvironments": 0, "MaxExecutionEnvironments": 0},
    )
    wait_until(lambda: plane.state("stream", "1") == "Deactivated", "it has no environments")
    with pytest.raises(botocore.exceptions.ClientError):
        client.invoke(FunctionName="stream", Qualifier="1", Payload=b"{}")

    # Lists
    assert {function["FunctionName"] for function in client.list_functions()["Functions"]} == {"work", "stream", "told"}
    versions = client.list_versions_by_function(FunctionName="work")["Versions"]
    assert [version["Version"] for version in versions] == ["$LATEST", "1"]
    assert len(client.list_capacity_providers()["CapacityProviders"]) == 1
    on_pool = client.list_function_versions_by_capacity_provider(CapacityProviderName="pool")["FunctionVersions"]
    assert any(version["FunctionArn"].endswith(":work:1") for version in on_pool)
    metrics = plane_metrics(plane)
    assert metrics['Invocations{FunctionName="work",Resource="work:1",ExecutedVersion="1"}'] == 503
    assert metrics['Errors{FunctionName="work",Resource="work:1",ExecutedVersion="1"}'] == 3

    # And the end of all of it
    with pytest.raises(botocore.exceptions.ClientError, match="ResourceConflictException"):
        client.delete_capacity_provider(CapacityProviderName="pool")
    for name in ("work", "stream", "told"):
        client.delete_function(FunctionName=name)
    wait_until(lambda: client.list_functions()["Functions"] == [], "the functions are gone")
    client.delete_capacity_provider(CapacityProviderName="pool")
    wait_until(lambda: client.list_capacity_providers()["CapacityProviders"] == [], "the capacity provider is gone")
    assert plane.fleet()["instances"] == []
    assert client.checked["Invoke"] > 500


def plane_metrics(plane: PlaneProcess) -> dict[str, float]:
    import urllib.request

    with urllib.request.urlopen(f"{plane.url}/metrics") as response:
        lines = response.read().decode().splitlines()
    pairs = [line.rpartition(" ") for line in lines if not line.startswith("#")]
    return {name: float(value) for name, _, value in pairs}


@pytest.mark.skipif(sys.platform != "linux", reason="awslambdaric is built for Linux only")
def test_awslambdaric_with_eight_slots_answers_every_invocation(plane: PlaneProcess) -> None:
    provider = plane.create_provider()
    bootstrap = f'#!/bin/sh\nexec "{sys.executable}" -m awslambdaric "$_HANDLER"\n'
    code = zipped(bootstrap=bootstrap, app__py=APP)
    plane.create_function("ric", provider, code, slots=8, Runtime="provided.al2023")
    plane.publish("ric")

    deadline = time.monotonic() + 40

    def invoke(number: int) -> Any:
        while True:
            try:
                return plane.invoke("ric", {"number": number, "seconds": 0.01})
            except botocore.exceptions.ClientError as error:
                # All slots are taken: to be tried again a little later, as the SDKs do.
                assert error.response["Error"]["Code"] == "TooManyRequestsException"  # noqa: PT017
                assert time.monotonic() < deadline, plane.fleet()
                time.sleep(0.01)

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(invoke, range(600)))
    assert answers == [{"number": number, "version": "1"} for number in range(600)]
