"""boto3 and the AWS CLI, unmodified, against the plane's API. Every answer is checked against botocore's model."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, WaiterError

from polylambda.plane.control import VersionStatus
from polylambda.plane.sigv4 import Credentials
from polylambda.plane.states import VersionState
from tests.output_shapes import problems
from tests.plane_api import ACCOUNT, CODE, PROVIDER_ARN, REGION, ROLE, ServedApi, function_body, served_api, zipped

ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f"
SESSION = boto3.Session()  # loads the model once
QUICK = {"Delay": 0, "MaxAttempts": 40}
FUNCTION = {**function_body(), "Code": {"ZipFile": CODE}}


@pytest.fixture
def served(tmp_path: Path) -> Iterator[ServedApi]:
    with served_api(tmp_path / "data") as served:
        yield served


@contextlib.contextmanager
def client_of(served: ServedApi, **options: Any) -> Iterator[Any]:
    """A boto3 client that checks every answer it gets."""
    config = Config(retries={"total_max_attempts": 1}, max_pool_connections=40, read_timeout=30)
    client = SESSION.client("lambda", endpoint_url=served.url, region_name=REGION, config=config, **options)
    wrong: list[str] = []

    def check(response_dict: dict[str, Any], operation_model: Any, **_: Any) -> None:
        if operation_model.has_event_stream_output:
            return
        headers = {name.lower(): value for name, value in response_dict["headers"].items()}
        wrong.extend(problems(operation_model, response_dict["status_code"], headers, response_dict["body"]))

    client.meta.events.register("before-parse.lambda", check)
    try:
        yield client
    finally:
        client.close()
    assert wrong == []


@pytest.fixture
def client(served: ServedApi) -> Iterator[Any]:
    with client_of(served) as client:
        yield client


def make_provider(client: Any, name: str = "cp", **members: Any) -> Any:
    return client.create_capacity_provider(
        CapacityProviderName=name,
        VpcConfig={"SubnetIds": ["subnet-1", "subnet-2"], "SecurityGroupIds": ["sg-1"]},
        PermissionsConfig={"CapacityProviderOperatorRoleArn": ROLE},
        **members,
    )["CapacityProvider"]


@pytest.fixture
def published(client: Any) -> Any:
    """The client, with a function `f` whose `$LATEST.PUBLISHED` is Active."""
    make_provider(client)
    client.create_function(**FUNCTION, Publish=True, PublishTo="LATEST_PUBLISHED")
    client.get_waiter("published_version_active").wait(
        FunctionName="f", Qualifier="$LATEST.PUBLISHED", WaiterConfig=QUICK
    )
    return client


def test_whole_life(client: Any):
    provider = make_provider(
        client,
        InstanceRequirements={"Architectures": ["x86_64"], "AllowedInstanceTypes": ["c*"]},
        CapacityProviderScalingConfig={
            "MaxVCpuCount": 30,
            "ScalingMode": "Manual",
            "ScalingPolicies": [
                {"PredefinedMetricType": "LambdaCapacityProviderAverageCPUUtilization", "TargetValue": 60.0}
            ],
        },
        Tags={"team": "blue"},
        PropagateTags={"Mode": "Explicit", "ExplicitTags": {"a": "b"}},
        TelemetryConfig={"LoggingConfig": {"SystemLogLevel": "DEBUG"}},
    )
    assert provider["State"] == "Pending"
    assert client.get_capacity_provider(CapacityProviderName=PROVIDER_ARN)["CapacityProvider"]["State"] == "Active"

    created = client.create_function(**FUNCTION, Environment={"Variables": {"A1": "b"}}, Tags={"a": "b"})
    assert (created["State"], created["StateReasonCode"]) == ("Pending", "Creating")
    for waiter in ("function_exists", "function_updated_v2"):
        client.get_waiter(waiter).wait(FunctionName="f", WaiterConfig=QUICK)
    assert client.get_function_configuration(FunctionName="f")["State"] == "ActiveNonInvocable"
    with pytest.raises(client.exceptions.NoPublishedVersionException):
        client.invoke(FunctionName="f")

    version = client.publish_version(FunctionName="f", CodeSha256=created["CodeSha256"], Description="first")
    assert (version["Version"], version["State"], version["Description"]) == ("1", "Pending", "first")
    for waiter in ("published_version_active", "function_active_v2", "function_updated"):
        client.get_waiter(waiter).wait(FunctionName="f", Qualifier="1", WaiterConfig=QUICK)
    answer = client.invoke(FunctionName="f", Qualifier="1", Payload=b'{"a": 1}')
    assert json.loads(answer["Payload"].read())["event"] == {"a": 1}
    assert (answer["StatusCode"], answer["ExecutedVersion"]) == (200, "1")

    scaling = {"MinExecutionEnvironments": 5, "MaxExecutionEnvironments": 20}
    client.put_function_scaling_config(FunctionName="f", Qualifier="1", FunctionScalingConfig=scaling)
    told = client.get_function_scaling_config(FunctionName="f", Qualifier="1")
    assert told["RequestedFunctionScalingConfig"] == scaling
    assert "AppliedFunctionScalingConfig" not in told
    told = client.get_function_scaling_config(FunctionName="f", Qualifier="1")
    assert told["AppliedFunctionScalingConfig"] == {"MinExecutionEnvironments": 3}

    versions = client.list_function_versions_by_capacity_provider(CapacityProviderName="cp")
    assert [version["State"] for version in versions["FunctionVersions"]] == ["ActiveNonInvocable", "Active"]
    with pytest.raises(client.exceptions.ResourceConflictException):
        client.delete_capacity_provider(CapacityProviderName="cp")
    client.delete_function(FunctionName="f")
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_function(FunctionName="f")
    assert client.delete_capacity_provider(CapacityProviderName="cp")["CapacityProvider"]["State"] == "Deleting"
    assert client.list_capacity_providers()["CapacityProviders"] == []


class TestInvoke:
    def test_from_many_threads(self, published: Any):
        def call(number: int) -> int:
            answer = published.invoke(FunctionName="f", Payload=json.dumps({"n": number}).encode())
            return json.loads(answer["Payload"].read())["event"]["n"]

        with ThreadPoolExecutor(32) as pool:
            assert list(pool.map(call, range(500))) == list(range(500))

    def test_error_log_and_metadata(self, published: Any):
        answer = published.invoke(FunctionName="f", Payload=b'{"do": "raise"}', LogType="Tail")
        assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
        assert json.loads(answer["Payload"].read())["errorType"] == "ValueError"
        assert base64.b64decode(answer["LogResult"]) == b"the end of the log"
        context = base64.b64encode(b'{"custom": {"a": "b"}}').decode()
        told = json.loads(published.invoke(FunctionName="f", ClientContext=context, TenantId="t")["Payload"].read())
        assert (told["client_context"], told["tenant"]) == ('{"custom": {"a": "b"}}', "t")

    @pytest.mark.parametrize("name", ["f", ARN, f"{ACCOUNT}:function:f", f"{ARN}:$LATEST.PUBLISHED"])
    def test_names(self, published: Any, name: str):
        answer = published.invoke(FunctionName=name)
        assert answer["ExecutedVersion"] == "$LATEST.PUBLISHED"
        assert json.loads(answer["Payload"].read())["arn"].startswith(ARN)

    def test_alias(self, published: Any):
        published.create_alias(FunctionName="f", Name="live", FunctionVersion="$LATEST.PUBLISHED")
        answer = published.invoke(FunctionName="f", Qualifier="live")
        assert answer["ExecutedVersion"] == "$LATEST.PUBLISHED"
        assert json.loads(answer["Payload"].read())["arn"] == f"{ARN}:live"
        told = published.get_function_configuration(FunctionName="f", Qualifier="live")
        assert (told["FunctionArn"], told["Version"]) == (f"{ARN}:live", "$LATEST.PUBLISHED")

    def test_alias_of_two_versions(self, published: Any):
        published.publish_version(FunctionName="f")
        published.get_function(FunctionName="f", Qualifier="1")
        published.create_alias(
            FunctionName="f",
            Name="live",
            FunctionVersion="$LATEST.PUBLISHED",
            RoutingConfig={"AdditionalVersionWeights": {"1": 1.0}},
        )
        assert published.invoke(FunctionName="f:live")["ExecutedVersion"] == "1"
        published.update_alias(FunctionName="f", Name="live", RoutingConfig={"AdditionalVersionWeights": {"1": 0.0}})
        assert published.invoke(FunctionName="f:live")["ExecutedVersion"] == "$LATEST.PUBLISHED"

    def test_event_and_dry_run(self, served: ServedApi, published: Any):
        answer = published.invoke(FunctionName="f", InvocationType="Event", Payload=b'{"a": 1}')
        assert answer["StatusCode"] == 202
        (queued,) = served.control.queued
        assert (queued.version, queued.qualifier, queued.invocation.payload) == ("$LATEST.PUBLISHED", None, b'{"a": 1}')
        assert published.invoke(FunctionName="f", InvocationType="DryRun")["StatusCode"] == 204
        assert published.invoke_async(FunctionName="f", InvokeArgs=b"{}")["Status"] == 202
        assert len(served.control.queued) == 2

    def test_throttle(self, published: Any):
        with pytest.raises(published.exceptions.TooManyRequestsException) as caught:
            published.invoke(FunctionName="f", Payload=b'{"do": "throttle"}')
        assert caught.value.response["Reason"] == "ConcurrentInvocationLimitExceeded"
        assert caught.value.response["retryAfterSeconds"] == "1"
        published.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=0)
        with pytest.raises(published.exceptions.TooManyRequestsException) as caught:
            published.invoke(FunctionName="f")
        assert caught.value.response["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"

    def test_not_active(self, published: Any):
        with pytest.raises(published.exceptions.ResourceConflictException, match="ActiveNonInvocable"):
            published.invoke(FunctionName="f", Qualifier="$LATEST")
        published.publish_version(FunctionName="f")
        with pytest.raises(published.exceptions.ResourceNotFoundException, match=f"Function not found: {ARN}:7"):
            published.invoke(FunctionName="f", Qualifier="7")
        with pytest.raises(published.exceptions.ResourceNotFoundException, match="Function not found"):
            published.invoke(FunctionName="g")

    def test_bad_payload(self, published: Any):
        with pytest.raises(published.exceptions.InvalidRequestContentException, match="Could not parse request body"):
            published.invoke(FunctionName="f", Payload=b"nope")
        with pytest.raises(published.exceptions.RequestTooLargeException):
            published.invoke(FunctionName="f", InvocationType="Event", Payload=json.dumps("x" * 1024 * 1024).encode())

    def test_stream(self, published: Any):
        answer = published.invoke_with_response_stream(FunctionName="f", Payload=b'{"do": "stream"}', LogType="Tail")
        assert answer["ExecutedVersion"] == "$LATEST.PUBLISHED"
        one, two, end = answer["EventStream"]
        assert (one["PayloadChunk"]["Payload"], two["PayloadChunk"]["Payload"]) == (b"one", b"two")
        assert end == {"InvokeComplete": {"LogResult": base64.b64encode(b"the end of the log").decode()}}

    def test_errors_in_streams(self, published: Any):
        *_, end = published.invoke_with_response_stream(FunctionName="f", Payload=b'{"do": "break"}')["EventStream"]
        assert end["InvokeComplete"]["ErrorCode"] == "Function.ValueError"
        (end,) = published.invoke_with_response_stream(FunctionName="f", Payload=b'{"do": "raise"}')["EventStream"]
        assert end["InvokeComplete"]["ErrorCode"] == "Unhandled"
        piece, end = published.invoke_with_response_stream(FunctionName="f", Payload=b'{"a": 1}')["EventStream"]
        assert json.loads(piece["PayloadChunk"]["Payload"])["event"] == {"a": 1}
        assert end == {"InvokeComplete": {}}

    def test_stream_in_one_piece(self, published: Any):
        assert published.invoke(FunctionName="f", Payload=b'{"do": "stream"}')["Payload"].read() == b"onetwo"
        answer = published.invoke(FunctionName="f", Payload=b'{"do": "large"}')
        assert answer["FunctionError"] == "Unhandled"
        assert json.loads(answer["Payload"].read())["errorType"] == "Function.ResponseSizeTooLarge"


class TestWaiters:
    def test_failed_version(self, served: ServedApi, published: Any):
        status = VersionStatus(VersionState.FAILED, "the init failed", "FunctionError.RuntimeInitError")
        served.control.failed[f"{ARN}:1"] = status
        version = published.publish_version(FunctionName="f")
        assert version["StateReasonCode"] == "FunctionError.RuntimeInitError"
        assert version["LastUpdateStatus"] == "Failed"
        with pytest.raises(WaiterError, match="terminal failure"):
            published.get_waiter("published_version_active").wait(FunctionName="f", Qualifier="1", WaiterConfig=QUICK)
        with pytest.raises(WaiterError, match="terminal failure"):
            published.get_waiter("function_updated_v2").wait(FunctionName="f", Qualifier="1", WaiterConfig=QUICK)

    @pytest.mark.parametrize("waiter", ["function_updated", "function_updated_v2", "function_exists"])
    def test_of_latest(self, published: Any, waiter: str):
        published.get_waiter(waiter).wait(FunctionName="f", WaiterConfig=QUICK)


class TestVersions:
    def test_publishing_what_did_not_change(self, published: Any):
        first = published.publish_version(FunctionName="f")
        assert published.publish_version(FunctionName="f")["RevisionId"] == first["RevisionId"]
        published.update_function_configuration(FunctionName="f", Timeout=7)
        second = published.publish_version(FunctionName="f")
        assert (second["Version"], second["Timeout"]) == ("2", 7)
        assert [one["Version"] for one in published.list_versions_by_function(FunctionName="f")["Versions"]] == [
            "$LATEST",
            "$LATEST.PUBLISHED",
            "1",
            "2",
        ]

    def test_latest_published_keeps_its_scaling(self, published: Any):
        scaling = {"MinExecutionEnvironments": 1, "MaxExecutionEnvironments": 2}
        published.put_function_scaling_config(
            FunctionName="f", Qualifier="$LATEST.PUBLISHED", FunctionScalingConfig=scaling
        )
        updated = published.update_function_code(
            FunctionName="f", ZipFile=zipped(app__py="new"), Publish=True, PublishTo="LATEST_PUBLISHED"
        )
        assert (updated["Version"], updated["State"]) == ("$LATEST.PUBLISHED", "Pending")
        told = published.get_function_scaling_config(FunctionName="f", Qualifier="$LATEST.PUBLISHED")
        assert told["RequestedFunctionScalingConfig"] == scaling

    def test_scaling_to_nothing(self, published: Any):
        zero = {"MinExecutionEnvironments": 0, "MaxExecutionEnvironments": 0}
        qualifier = "$LATEST.PUBLISHED"
        told = published.put_function_scaling_config(FunctionName="f", Qualifier=qualifier, FunctionScalingConfig=zero)
        assert told["FunctionState"] == "Deactivated"
        with pytest.raises(published.exceptions.ResourceConflictException, match="Deactivated"):
            published.invoke(FunctionName="f")

    def test_revision(self, published: Any):
        for call in (published.publish_version, published.update_function_configuration):
            with pytest.raises(published.exceptions.PreconditionFailedException):
                call(FunctionName="f", RevisionId="old")

    def test_delete_one(self, published: Any):
        published.publish_version(FunctionName="f")
        published.create_alias(FunctionName="f", Name="live", FunctionVersion="1")
        with pytest.raises(published.exceptions.ResourceConflictException, match="referenced by the alias"):
            published.delete_function(FunctionName="f", Qualifier="1")
        published.delete_alias(FunctionName="f", Name="live")
        published.delete_function(FunctionName="f", Qualifier="1")
        with pytest.raises(published.exceptions.InvalidParameterValueException):
            published.delete_function(FunctionName="f", Qualifier="$LATEST")
        left = published.list_versions_by_function(FunctionName="f")["Versions"]
        assert [one["Version"] for one in left] == ["$LATEST", "$LATEST.PUBLISHED"]


def test_aliases(published: Any):
    published.publish_version(FunctionName="f")
    published.update_function_configuration(FunctionName="f", Description="new")
    published.publish_version(FunctionName="f")
    made = published.create_alias(
        FunctionName="f",
        Name="live",
        FunctionVersion="1",
        Description="d",
        RoutingConfig={"AdditionalVersionWeights": {"2": 0.5}},
    )
    assert made == {**published.get_alias(FunctionName="f", Name="live"), "ResponseMetadata": made["ResponseMetadata"]}
    with pytest.raises(published.exceptions.ResourceConflictException):
        published.create_alias(FunctionName="f", Name="live", FunctionVersion="1")
    updated = published.update_alias(FunctionName="f", Name="live", FunctionVersion="2", RoutingConfig={})
    assert updated["FunctionVersion"] == "2"
    assert "RoutingConfig" not in updated
    with pytest.raises(published.exceptions.PreconditionFailedException):
        published.update_alias(FunctionName="f", Name="live", RevisionId=made["RevisionId"])
    assert len(published.list_aliases(FunctionName="f", FunctionVersion="2")["Aliases"]) == 1
    assert published.list_aliases(FunctionName="f", FunctionVersion="1")["Aliases"] == []
    published.delete_alias(FunctionName="f", Name="live")
    with pytest.raises(published.exceptions.ResourceNotFoundException, match="Cannot find alias arn"):
        published.get_alias(FunctionName="f", Name="live")


def test_tags(published: Any):
    for arn in (ARN, PROVIDER_ARN):
        published.tag_resource(Resource=arn, Tags={"a": "1", "b": "2"})
        published.untag_resource(Resource=arn, TagKeys=["a", "x"])
        assert published.list_tags(Resource=arn)["Tags"] == {"b": "2"}
    assert published.get_function(FunctionName="f")["Tags"] == {"b": "2"}


def test_event_invoke_configs(published: Any):
    published.create_function(**{**FUNCTION, "FunctionName": "g"})
    destination = {"OnFailure": {"Destination": ARN.removesuffix("f") + "g"}}
    put = published.put_function_event_invoke_config(
        FunctionName="f", MaximumRetryAttempts=1, DestinationConfig=destination
    )
    assert put["FunctionArn"] == f"{ARN}:$LATEST"
    updated = published.update_function_event_invoke_config(FunctionName="f", MaximumEventAgeInSeconds=60)
    assert (updated["MaximumRetryAttempts"], updated["MaximumEventAgeInSeconds"]) == (1, 60)
    found = published.get_function_event_invoke_config(FunctionName="f")
    assert found["LastModified"] == updated["LastModified"]
    published.put_function_event_invoke_config(FunctionName="f", Qualifier="$LATEST.PUBLISHED", MaximumRetryAttempts=0)
    assert len(published.list_function_event_invoke_configs(FunctionName="f")["FunctionEventInvokeConfigs"]) == 2
    published.delete_function_event_invoke_config(FunctionName="f")
    with pytest.raises(published.exceptions.ResourceNotFoundException, match="doesn't have an EventInvokeConfig"):
        published.get_function_event_invoke_config(FunctionName="f")


def test_url_configs(published: Any):
    made = published.create_function_url_config(
        FunctionName="f", AuthType="NONE", Cors={"AllowOrigins": ["*"], "MaxAge": 5}
    )
    assert made["InvokeMode"] == "BUFFERED"
    updated = published.update_function_url_config(FunctionName="f", InvokeMode="RESPONSE_STREAM")
    assert updated["FunctionUrl"] == made["FunctionUrl"]
    assert published.get_function_url_config(FunctionName="f")["Cors"] == {"AllowOrigins": ["*"], "MaxAge": 5}
    assert len(published.list_function_url_configs(FunctionName="f")["FunctionUrlConfigs"]) == 1
    published.delete_function_url_config(FunctionName="f")
    with pytest.raises(published.exceptions.ResourceNotFoundException):
        published.get_function_url_config(FunctionName="f")


def test_account_and_concurrency(published: Any):
    settings = published.get_account_settings()
    assert settings["AccountUsage"]["FunctionCount"] == 1
    published.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=5)
    assert published.get_function_concurrency(FunctionName="f")["ReservedConcurrentExecutions"] == 5
    assert published.get_function(FunctionName="f")["Concurrency"] == {"ReservedConcurrentExecutions": 5}
    published.delete_function_concurrency(FunctionName="f")
    assert "ReservedConcurrentExecutions" not in published.get_function_concurrency(FunctionName="f")


def test_code_can_be_downloaded(served: ServedApi, published: Any):
    location = published.get_function(FunctionName="f")["Code"]["Location"]
    with contextlib.closing(http.client.HTTPConnection(*served.address)) as connection:
        connection.request("GET", location.removeprefix(served.url))
        assert connection.getresponse().read() == CODE


@pytest.mark.parametrize(
    ("operation", "key", "parameters"),
    [
        ("list_functions", "Functions", {}),
        ("list_versions_by_function", "Versions", {"FunctionName": "f0"}),
        ("list_capacity_providers", "CapacityProviders", {}),
        ("list_function_versions_by_capacity_provider", "FunctionVersions", {"CapacityProviderName": "cp"}),
        ("list_aliases", "Aliases", {"FunctionName": "f0"}),
    ],
)
def test_pages(client: Any, operation: str, key: str, parameters: dict[str, str]):
    make_provider(client)
    for number in range(4):
        make_provider(client, f"other{number}")
        client.create_function(**{**FUNCTION, "FunctionName": f"f{number}", "Description": str(number)})
    for number in range(4):
        client.update_function_configuration(FunctionName="f0", Timeout=number + 1)
        client.publish_version(FunctionName="f0")
        client.create_alias(FunctionName="f0", Name=f"a{number}", FunctionVersion="1")
    whole = getattr(client, operation)(**parameters)[key]
    pages = client.get_paginator(operation).paginate(**parameters, PaginationConfig={"PageSize": 2})
    pieces = [page[key] for page in pages]
    assert all(len(piece) <= 2 for piece in pieces)
    assert [item for piece in pieces for item in piece] == whole
    assert len(whole) >= 4


def test_everything_else_says_so(served: ServedApi):
    config = Config(retries={"total_max_attempts": 1})
    client = SESSION.client("lambda", endpoint_url=served.url, region_name=REGION, config=config)
    with contextlib.closing(client), pytest.raises(ClientError, match="ListLayers is not implemented by polylambda"):
        client.list_layers()


def test_signatures(tmp_path: Path):
    with served_api(tmp_path / "data", credentials=Credentials({"AKID": "secret"})) as served:
        right = {"aws_access_key_id": "AKID", "aws_secret_access_key": "secret"}
        with client_of(served, **right) as client:
            make_provider(client)
            assert client.get_capacity_provider(CapacityProviderName=PROVIDER_ARN)["CapacityProvider"]["State"]
            client.create_function(**FUNCTION, PublishTo="LATEST_PUBLISHED")
            client.get_function(FunctionName=f"{ARN}:$LATEST.PUBLISHED")
            assert client.invoke(FunctionName="f", Payload=b'{"a": "\xc3\xa4"}')["StatusCode"] == 200
            client.tag_resource(Resource=ARN, Tags={"a b": "c+d"})
            client.untag_resource(Resource=ARN, TagKeys=["a b", "c/ä"])
        for wrong in ({**right, "aws_secret_access_key": "other"}, {**right, "aws_access_key_id": "other"}):
            client = SESSION.client("lambda", endpoint_url=served.url, region_name=REGION, **wrong)
            for call in (client.list_functions, lambda client=client: client.invoke(FunctionName="f")):
                with pytest.raises(ClientError, match=r"InvalidSignature|UnrecognizedClient"):
                    call()
            client.close()


class TestAwsCli:
    @pytest.fixture
    def aws(self, aws_cli: list[str], served: ServedApi, tmp_path: Path) -> Callable[..., Any]:
        def run(*arguments: str) -> Any:
            words = [*aws_cli, "lambda", "--endpoint-url", served.url, "--region", REGION, *arguments]
            done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=50, cwd=tmp_path)
            assert done.returncode == 0, done.stderr
            return json.loads(done.stdout or "null")

        return run

    def test_from_provider_to_invocation(self, aws: Callable[..., Any], tmp_path: Path):
        (tmp_path / "code.zip").write_bytes(CODE)
        vpc = "SubnetIds=subnet-1,SecurityGroupIds=sg-1"
        role = f"CapacityProviderOperatorRoleArn={ROLE}"
        named = ("--capacity-provider-name", "cp")
        told = aws("create-capacity-provider", *named, "--vpc-config", vpc, "--permissions-config", role)
        assert told["CapacityProvider"]["CapacityProviderArn"] == PROVIDER_ARN
        config = f"LambdaManagedInstancesCapacityProviderConfig={{CapacityProviderArn={PROVIDER_ARN}}}"
        made = ("--function-name", "f", "--runtime", "python3.13", "--handler", "app.handler", "--role", ROLE)
        code = ("--zip-file", "fileb://code.zip", "--publish", "--publish-to", "LATEST_PUBLISHED")
        assert aws("create-function", *made, *code, "--capacity-provider-config", config)["State"] == "Pending"
        aws("wait", "published-version-active", "--function-name", "f", "--qualifier", "$LATEST.PUBLISHED")
        told = aws("invoke", "--function-name", "f", "--payload", '{"a": 1}', "out")
        assert told == {"StatusCode": 200, "ExecutedVersion": "$LATEST.PUBLISHED"}
        assert json.loads((tmp_path / "out").read_text())["event"] == {"a": 1}
