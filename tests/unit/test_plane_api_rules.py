"""What the operations refuse and why, without a socket."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polylambda.local.apierror import ApiError
from polylambda.plane.api import errors, versions
from polylambda.plane.api.access import Access
from polylambda.plane.api.app import PlaneApp
from polylambda.plane.api.function_url import cors_headers
from polylambda.plane.api.pages import page
from polylambda.plane.api.references import FunctionReference, Namespace
from polylambda.plane.api.resources import Resources
from polylambda.plane.code import LOCAL_FOLDER, CodeFolder
from polylambda.plane.control import VersionStatus
from polylambda.plane.records import ProviderRecord
from polylambda.plane.states import VersionState
from polylambda.plane.store import Store
from tests.plane_api import ACCOUNT, CODE, PROVIDER_ARN, REGION, ROLE, FakeControl

NAMES = Namespace(REGION, ACCOUNT)
ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function"


class Caller:
    """Calls operations with parameters that botocore's model would let through."""

    def __init__(self, folder: Path) -> None:
        self.store = Store(folder)
        self.control = FakeControl(self.store)
        code = CodeFolder(folder / "code")
        resources = Resources(self.store, self.control, code, NAMES, lambda: "http://127.0.0.1:1")
        self._operations = PlaneApp(resources, Access(None), None, print)._operations

    def __call__(self, operation: str, **parameters: Any) -> Any:
        result = self._operations[operation](parameters)

        async def awaited() -> Any:
            return await result

        return asyncio.run(awaited()) if inspect.isawaitable(result) else result

    def refused(self, operation: str, **parameters: Any) -> ApiError:
        with pytest.raises(ApiError) as caught:
            self(operation, **parameters)
        return caught.value

    def provider(self, name: str = "cp", **members: Any) -> Any:
        vpc = {"SubnetIds": ["subnet-1"], "SecurityGroupIds": []}
        permissions = {"CapacityProviderOperatorRoleArn": ROLE}
        return {"CapacityProviderName": name, "VpcConfig": vpc, "PermissionsConfig": permissions, **members}

    def function(self, name: str = "f", config: dict[str, Any] | None = None, **members: Any) -> Any:
        return {
            "FunctionName": name,
            "Role": ROLE,
            "Runtime": "python3.13",
            "Handler": "app.handler",
            "Code": {"ZipFile": CODE},
            "CapacityProviderConfig": {
                "LambdaManagedInstancesCapacityProviderConfig": {"CapacityProviderArn": PROVIDER_ARN, **(config or {})}
            },
            **members,
        }


@pytest.fixture
def call(tmp_path: Path) -> Iterator[Caller]:
    caller = Caller(tmp_path)
    yield caller
    caller.store.close()


@pytest.fixture
def ready(call: Caller) -> Caller:
    call("CreateCapacityProvider", **call.provider())
    call("CreateFunction", **call.function())
    return call


class TestReferences:
    @pytest.mark.parametrize(
        ("text", "qualifier", "expected"),
        [
            ("f", None, FunctionReference("f")),
            ("f", "", FunctionReference("f")),
            ("f:1", None, FunctionReference("f", "1")),
            ("my-func-1:live", "live", FunctionReference("my-func-1", "live")),
            (f"{ARN}:f", "$LATEST", FunctionReference("f", "$LATEST")),
            (f"{ARN}:f:$LATEST.PUBLISHED", None, FunctionReference("f", "$LATEST.PUBLISHED")),
            (f"{ACCOUNT}:function:f:2", None, FunctionReference("f", "2")),
        ],
    )
    def test_functions(self, text: str, qualifier: str | None, expected: FunctionReference):
        assert NAMES.function(text, qualifier) == expected

    @pytest.mark.parametrize("text", ["", "../f", "a/b", "f:1:2", "f g", "f\n", "arn:aws:s3:::b", "f:$OTHER"])
    def test_no_function(self, text: str):
        with pytest.raises(ApiError, match="is not a function"):
            NAMES.function(text)

    def test_contradiction(self):
        with pytest.raises(ApiError, match="does not match the specified qualifier"):
            NAMES.function("f:1", "2")

    @pytest.mark.parametrize(("old", "new"), [(ACCOUNT, "999999999999"), (REGION, "eu-west-1")])
    def test_elsewhere(self, old: str, new: str):
        with pytest.raises(ApiError, match="Function not found"):
            NAMES.function(f"{ARN}:f".replace(old, new))
        with pytest.raises(ApiError, match="Capacity provider not found"):
            NAMES.provider(PROVIDER_ARN.replace(old, new))


class TestPages:
    @given(items=st.sets(st.text(min_size=1, max_size=5)), size=st.integers(1, 4))
    def test_every_item_comes_once(self, items: set[str], size: int):
        seen: list[str] = []
        parameters: dict[str, Any] = {"MaxItems": size}
        while True:
            found, marker = page(items, str, parameters)
            assert len(found) <= size
            seen += found
            if marker is None:
                break
            parameters["Marker"] = marker
        assert seen == sorted(items)

    @pytest.mark.parametrize("marker", ["x", "ä", "////", "AAA", "_w=="])
    def test_foreign_marker(self, marker: str):
        with pytest.raises(ApiError, match="give the NextMarker"):
            page(["a"], str, {"Marker": marker})


class TestCapacityProviders:
    @pytest.mark.parametrize(
        ("members", "message"),
        [
            (
                {"InstanceRequirements": {"AllowedInstanceTypes": ["c*"], "ExcludedInstanceTypes": ["m*"]}},
                "can't be specified together",
            ),
            ({"InstanceRequirements": {"AllowedInstanceTypes": ["nothing*"]}}, "No instance type"),
            (
                {"CapacityProviderScalingConfig": {"ScalingPolicies": [{"TargetValue": 1}]}},
                "A scaling policy can't be specified when the scalingMode is set to Auto",
            ),
            ({"CapacityProviderScalingConfig": {"ScalingMode": "Manual"}}, "must be specified"),
            ({"PropagateTags": {"ExplicitTags": {"a": "b"}}}, "only when Mode is Explicit"),
        ],
    )
    def test_refused(self, call: Caller, members: dict[str, Any], message: str):
        error = call.refused("CreateCapacityProvider", **call.provider(**members))
        assert error.name == "InvalidParameterValueException"
        assert message in error.message

    @pytest.mark.parametrize(
        ("policies", "message"),
        [
            (
                [{"PredefinedMetricType": "LambdaCapacityProviderAverageGPUUtilization", "TargetValue": 5.0}],
                "one policy",
            ),
            ([{"PredefinedMetricType": "LambdaCapacityProviderAverageCPUUtilization", "TargetValue": 0.0}], "greater"),
        ],
    )
    def test_policies(self, call: Caller, policies: list[Any], message: str):
        scaling = {"ScalingMode": "Manual", "ScalingPolicies": policies}
        wrong = call.provider(CapacityProviderScalingConfig=scaling)
        assert message in call.refused("CreateCapacityProvider", **wrong).message

    def test_back_to_auto(self, call: Caller):
        policy = {"PredefinedMetricType": "LambdaCapacityProviderAverageCPUUtilization", "TargetValue": 50.0}
        manual = {"ScalingMode": "Manual", "ScalingPolicies": [policy]}
        call("CreateCapacityProvider", **call.provider(CapacityProviderScalingConfig=manual))
        told = call(
            "UpdateCapacityProvider", CapacityProviderName="cp", CapacityProviderScalingConfig={"ScalingMode": "Auto"}
        )
        assert told["CapacityProvider"]["CapacityProviderScalingConfig"] == {"MaxVCpuCount": 400, "ScalingMode": "Auto"}

    def test_exists(self, ready: Caller):
        assert ready.refused("CreateCapacityProvider", **ready.provider()).status == 409

    def test_limit(self, call: Caller):
        for number in range(1000):
            call.store._providers[str(number)] = ProviderRecord(name=str(number), document={})
        error = call.refused("CreateCapacityProvider", **call.provider())
        assert error.name == "CapacityProviderLimitExceededException"

    def test_being_deleted(self, ready: Caller):
        ready.control.linger = True
        ready("DeleteFunction", FunctionName="f")
        ready("DeleteCapacityProvider", CapacityProviderName="cp")
        assert ready.refused("UpdateCapacityProvider", CapacityProviderName="cp").status == 409
        assert "being deleted" in ready.refused("CreateFunction", **ready.function("g")).message
        assert "being deleted" in ready.refused("CreateFunction", **ready.function()).message
        assert ready("GetFunction", FunctionName="f")["Configuration"]["State"] == "Deleting"
        for operation in ("PublishVersion", "UpdateFunctionConfiguration"):
            assert ready.refused(operation, FunctionName="f").status == 409


class TestFunctions:
    @pytest.mark.parametrize(
        ("members", "message"),
        [
            ({"Runtime": "python3.12"}, "python3.13 and later"),
            ({"Runtime": "provided.al2"}, "provided.al2023"),
            ({"Runtime": "nodejs22.x"}, "nodejs22.x cannot be used"),
            ({"Handler": ""}, "Runtime and Handler are mandatory"),
            ({"MemorySize": 1024}, "must have memory size greater than or equal to 2048"),
            ({"config": {"ExecutionEnvironmentMemoryGiBPerVCpu": 3.0}}, "must be 2, 4 or 8"),
            ({"Architectures": ["arm64"]}, "the one of the capacity provider cp (x86_64)"),
            ({"LoggingConfig": {"LogFormat": "Text"}}, "LogFormat must be JSON"),
            ({"VpcConfig": {"SubnetIds": ["subnet-1"]}}, "VpcConfig isn't supported"),
            ({"SnapStart": {"ApplyOn": "PublishedVersions"}}, "SnapStart isn't supported"),
            ({"PackageType": "Image"}, "Image is not supported"),
            ({"Layers": ["arn"]}, "Layers is not supported by polylambda"),
            ({"Code": {}}, "Please provide a source for function code"),
            ({"Code": {"ZipFile": CODE, "S3Bucket": "b", "S3Key": "k"}}, "There is no S3 here"),
            ({"Code": {"ImageUri": "x"}}, "ImageUri is not supported"),
            ({"Code": {"ZipFile": b"nope"}}, "Could not unzip uploaded file"),
            ({"Code": {"S3Bucket": LOCAL_FOLDER, "S3Key": "/does/not/exist"}}, "there is no folder"),
            ({"Environment": {"Variables": {"AWS_REGION": "x", "_HANDLER": "y"}}}, "AWS_REGION, _HANDLER"),
            ({"Environment": {"Variables": {"AA": "x" * 4097}}}, "exceeded the 4KB limit"),
            ({"Environment": {"Variables": {"AA": "a\0b"}}}, "NUL"),
        ],
    )
    def test_refused(self, ready: Caller, members: dict[str, Any], message: str):
        error = ready.refused("CreateFunction", **ready.function("g", **members))
        assert error.name == "InvalidParameterValueException"
        assert message in error.message
        assert ready.store.versions_of("g") == []

    def test_without_capacity_provider(self, ready: Caller):
        parameters = {**ready.function("g"), "CapacityProviderConfig": None}
        assert "CapacityProviderConfig is missing" in ready.refused("CreateFunction", **parameters).message
        unknown = ready.function("g", config={"CapacityProviderArn": f"{PROVIDER_ARN}x"})
        assert ready.refused("CreateFunction", **unknown).status == 404

    def test_exists(self, ready: Caller):
        error = ready.refused("CreateFunction", **ready.function())
        assert (error.status, error.message) == (409, "Function already exist: f")

    @pytest.mark.parametrize("name", ["n" * 65, "f:live"])
    def test_name(self, ready: Caller, name: str):
        assert ready.refused("CreateFunction", **ready.function(name)).name == "ValidationException"

    def test_concurrency_follows_memory_until_it_is_chosen(self, ready: Caller):
        def slots(**members: Any) -> int:
            told = ready("UpdateFunctionConfiguration", FunctionName="f", **members)["CapacityProviderConfig"]
            return told["LambdaManagedInstancesCapacityProviderConfig"]["PerExecutionEnvironmentMaxConcurrency"]

        assert slots() == 16
        assert slots(MemorySize=8192) == 64
        chosen = ready.function(config={"PerExecutionEnvironmentMaxConcurrency": 5})["CapacityProviderConfig"]
        assert slots(CapacityProviderConfig=chosen) == 5
        assert slots(MemorySize=2048) == 5

    def test_what_is_not_given_stays(self, ready: Caller):
        ready("UpdateFunctionConfiguration", FunctionName="f", Environment={"Variables": {"AA": "b"}}, Timeout=9)
        told = ready("UpdateFunctionConfiguration", FunctionName="f", LoggingConfig={"SystemLogLevel": "DEBUG"})
        assert told["Environment"] == {"Variables": {"AA": "b"}}
        assert told["Timeout"] == 9
        assert told["LoggingConfig"]["LogGroup"] == "/aws/lambda/f"

    def test_generation(self, ready: Caller):
        def generation() -> str:
            record = ready.store.version("f", "$LATEST")
            assert record is not None
            return record.generation

        first = generation()
        ready("UpdateFunctionConfiguration", FunctionName="f")
        ready("UpdateFunctionCode", FunctionName="f", ZipFile=CODE)
        assert generation() == first
        ready("UpdateFunctionConfiguration", FunctionName="f", Environment={"Variables": {"AA": "b"}})
        assert generation() != first

    def test_dry_run(self, ready: Caller, tmp_path: Path):
        before = ready.store.versions_of("f")
        code = {"S3Bucket": LOCAL_FOLDER, "S3Key": str(tmp_path)}
        ready("UpdateFunctionCode", FunctionName="f", **code, DryRun=True)
        assert ready.store.versions_of("f") == before
        ready("UpdateFunctionCode", FunctionName="f", **code)
        told = ready("GetFunction", FunctionName="f")
        assert told["Code"]["Location"] == tmp_path.as_uri()

    def test_list(self, ready: Caller):
        ready("PublishVersion", FunctionName="f")
        assert [one["Version"] for one in ready("ListFunctions")["Functions"]] == ["$LATEST"]
        told = ready("ListFunctions", FunctionVersion="ALL")["Functions"]
        assert [one["Version"] for one in told] == ["$LATEST", "1"]
        assert "State" not in told[0]


class TestVersions:
    def test_limit(self, ready: Caller, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(versions, "MAX_VERSIONS", 1)
        ready("PublishVersion", FunctionName="f")
        error = ready.refused("PublishVersion", FunctionName="f", PublishTo="LATEST_PUBLISHED")
        assert error.name == "FunctionVersionsPerCapacityProviderLimitExceededException"
        assert ready("PublishVersion", FunctionName="f")["Version"] == "1"

    @pytest.mark.parametrize("to", [{}, {"PublishTo": "LATEST_PUBLISHED"}])
    def test_a_failed_version_is_tried_again(self, ready: Caller, to: dict[str, str]):
        first = ready("PublishVersion", FunctionName="f", **to)
        assert ready("PublishVersion", FunctionName="f", **to)["RevisionId"] == first["RevisionId"]
        named = {"FunctionName": "f", "Qualifier": first["Version"]}
        ready("PutFunctionScalingConfig", **named, FunctionScalingConfig={"MinExecutionEnvironments": 9})
        record = ready.store.version("f", first["Version"])
        assert record is not None
        ready.control.failed[record.arn] = VersionStatus(VersionState.FAILED, "no room")
        again = ready("PublishVersion", FunctionName="f", **to)
        assert again["Version"] == first["Version"]
        assert again["RevisionId"] != first["RevisionId"]
        told = ready("GetFunctionScalingConfig", **named)["RequestedFunctionScalingConfig"]
        assert told == {"MinExecutionEnvironments": 9}

    def test_other_code(self, ready: Caller):
        error = ready.refused("PublishVersion", FunctionName="f", CodeSha256="x")
        assert "is different from current CodeSHA256 in $LATEST" in error.message

    @pytest.mark.parametrize(
        ("config", "message"),
        [
            ({"MinExecutionEnvironments": 0}, "only when MaxExecutionEnvironments is 0"),
            ({"MinExecutionEnvironments": 5, "MaxExecutionEnvironments": 4}, "less than or equal"),
            ({"MaxExecutionEnvironments": 2}, "less than or equal"),
        ],
    )
    def test_scaling(self, ready: Caller, config: dict[str, int], message: str):
        ready("PublishVersion", FunctionName="f")
        named = {"FunctionName": "f", "Qualifier": "1"}
        error = ready.refused("PutFunctionScalingConfig", **named, FunctionScalingConfig=config)
        assert message in error.message

    def test_scaling_left_out_is_the_default_again(self, ready: Caller):
        ready("PublishVersion", FunctionName="f")
        named = {"FunctionName": "f", "Qualifier": "1"}
        ready("PutFunctionScalingConfig", **named, FunctionScalingConfig={"MinExecutionEnvironments": 9})
        ready("PutFunctionScalingConfig", **named)
        told = ready("GetFunctionScalingConfig", **named)["RequestedFunctionScalingConfig"]
        assert told == {"MinExecutionEnvironments": 3}

    def test_being_deleted(self, ready: Caller):
        ready.control.linger = True
        ready("PublishVersion", FunctionName="f", PublishTo="LATEST_PUBLISHED")
        named = {"FunctionName": "f", "Qualifier": "$LATEST.PUBLISHED"}
        ready("DeleteFunction", **named)
        assert ready.refused("PutFunctionScalingConfig", **named).status == 409
        assert ready.refused("PublishVersion", FunctionName="f", PublishTo="LATEST_PUBLISHED").status == 409
        alias = {"FunctionName": "f", "Name": "live", "FunctionVersion": "$LATEST.PUBLISHED"}
        assert ready.refused("CreateAlias", **alias).status == 404


class TestTheRest:
    @pytest.mark.parametrize(
        ("version", "weights", "message"),
        [
            ("7", {}, "Function not found"),
            ("1", {"7": 0.5}, "Function not found"),
            ("1", {"1": 0.5}, "one version beside"),
            ("$LATEST", {"1": 0.5}, "more than 1 version"),
        ],
    )
    def test_aliases(self, ready: Caller, version: str, weights: dict[str, float], message: str):
        ready("PublishVersion", FunctionName="f")
        routing = {"AdditionalVersionWeights": weights}
        named = {"FunctionName": "f", "Name": "live", "FunctionVersion": version}
        assert message in ready.refused("CreateAlias", **named, RoutingConfig=routing).message

    def test_tags(self, ready: Caller):
        many = {str(number): "" for number in range(51)}
        assert "at most 50 tags" in ready.refused("TagResource", Resource=f"{ARN}:f", Tags=many).message
        assert "versions are not supported" in ready.refused("ListTags", Resource=f"{ARN}:f:1").message

    @pytest.mark.parametrize(
        ("config", "message"),
        [
            ({}, "at least one of error handling or destination"),
            ({"OnFailure": {"Destination": "arn:aws:sqs:us-east-1:123456789012:q"}}, "delivers to functions only"),
            ({"OnSuccess": {"Destination": f"{ARN}:missing"}}, "is invalid: Function not found"),
        ],
    )
    def test_event_invoke(self, ready: Caller, config: dict[str, Any], message: str):
        parameters = {"DestinationConfig": config} if config else {}
        error = ready.refused("PutFunctionEventInvokeConfig", FunctionName="f", **parameters)
        assert (error.name, message in error.message) == ("InvalidParameterValueException", True)

    def test_urls(self, ready: Caller):
        cors = {"AllowCredentials": True, "AllowOrigins": ["*"]}
        error = ready.refused("CreateFunctionUrlConfig", FunctionName="f", AuthType="NONE", Cors=cors)
        assert "AllowCredentials" in error.message
        url = {"FunctionName": "f", "AuthType": "NONE"}
        assert ready.refused("CreateFunctionUrlConfig", **url, Qualifier="live").status == 404
        ready("CreateFunctionUrlConfig", **url)
        assert ready.refused("CreateFunctionUrlConfig", **url).status == 409


CORS = {"AllowOrigins": ["https://a"], "AllowMethods": ["GET", "PUT"], "AllowHeaders": ["x"], "MaxAge": 5}


class TestCors:
    def told(self, config: dict[str, Any], **headers: str) -> dict[str, str]:
        lines = cors_headers(config, {name.replace("_", "-"): value for name, value in headers.items()})
        return {name.decode(): value.decode() for name, value in lines}

    def test_origin(self):
        assert self.told(CORS) == {}
        assert self.told(CORS, origin="https://b") == {}
        assert self.told({}, origin="https://b") == {}
        assert self.told(CORS, origin="https://a")["access-control-allow-origin"] == "https://a"
        assert self.told({"AllowOrigins": ["*"]}, origin="https://b")["access-control-allow-origin"] == "*"

    def test_preflight(self):
        told = self.told(CORS, origin="https://a", access_control_request_method="PUT")
        assert told["access-control-allow-methods"] == "GET,PUT"
        assert told["access-control-allow-headers"] == "x"
        assert told["access-control-max-age"] == "5"

    def test_credentials_and_exposed_headers(self):
        config = {**CORS, "AllowCredentials": True, "ExposeHeaders": ["a", "b"]}
        told = self.told(config, origin="https://a")
        assert told["access-control-allow-credentials"] == "true"
        assert told["access-control-expose-headers"] == "a,b"


def test_errors_are_spelled_as_in_the_model():
    assert b'"Message"' in errors.LambdaError("NoPublishedVersionException", "x").answer().body
    assert b'"message"' in errors.LambdaError("ResourceConflictException", "x").answer().body
