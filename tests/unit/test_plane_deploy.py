# ruff: noqa: N803 - the names of what it takes are AWS's
from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from polylambda.plane import deploy
from polylambda.plane.code import LOCAL_FOLDER
from polylambda.plane.deploy import Deployed, Deployer, NotDeployed
from polylambda.plane.plan import FunctionPlan, Plan, ProviderPlan

SCALING = {"MinExecutionEnvironments": 1, "MaxExecutionEnvironments": 2}
READING = ("get_", "list_")


class FakeClient:
    """Keeps what it is told, as far as the deployer asks for it again."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.things: dict[tuple[str, ...], dict[str, Any]] = {}
        self.refuse: dict[str, Exception] = {}
        self.states = ["Pending", "Active"]

    @property
    def changes(self) -> list[str]:
        """The operations that were called since the last look, without those that only read."""
        calls, self.calls = self.calls, []
        return [call for call in calls if not call.startswith(READING)]

    def __getattr__(self, operation: str) -> Any:
        def call(**request: Any) -> dict[str, Any]:
            self.calls.append(operation)
            self.requests.append((operation, copy.deepcopy(request)))
            if operation in self.refuse:
                raise self.refuse[operation]
            return copy.deepcopy(getattr(self, f"do_{operation}")(**request))

        return call

    def _get(self, *key: str) -> dict[str, Any]:
        if key not in self.things:
            raise error("ResourceNotFoundException", f"no {key}")
        return self.things[key]

    def do_get_capacity_provider(self, CapacityProviderName: str) -> Any:
        return {"CapacityProvider": self._get("provider", CapacityProviderName)}

    def do_create_capacity_provider(self, CapacityProviderName: str, **request: Any) -> Any:
        self.things["provider", CapacityProviderName] = request
        return {}

    def do_update_capacity_provider(self, CapacityProviderName: str, **request: Any) -> Any:
        self.things["provider", CapacityProviderName] |= request
        return {}

    def do_get_function_configuration(self, FunctionName: str, Qualifier: str = "$LATEST") -> Any:
        found = dict(self._get("version", FunctionName, Qualifier))
        if Qualifier != "$LATEST":
            found["State"] = self.states[0] if len(self.states) == 1 else self.states.pop(0)
        return found

    def do_create_function(self, FunctionName: str, Code: dict[str, Any], **request: Any) -> Any:
        self.things["version", FunctionName, "$LATEST"] = {"CodeSha256": str(Code), **request}
        return {}

    def do_update_function_configuration(self, FunctionName: str, **request: Any) -> Any:
        self.things["version", FunctionName, "$LATEST"] |= request
        return {}

    def do_update_function_code(self, FunctionName: str, **code: Any) -> Any:
        self.things["version", FunctionName, "$LATEST"]["CodeSha256"] = str(code)
        return {}

    def do_publish_version(self, FunctionName: str, PublishTo: str | None = None) -> Any:
        latest = dict(self.things["version", FunctionName, "$LATEST"])
        if PublishTo == "LATEST_PUBLISHED":
            self.things["version", FunctionName, "$LATEST.PUBLISHED"] = latest
            return {"Version": "$LATEST.PUBLISHED"}
        numbers = [key[2] for key in self.things if key[:2] == ("version", FunctionName) and key[2].isdigit()]
        if not numbers or self.things["version", FunctionName, numbers[-1]] != latest:
            numbers.append(str(len(numbers) + 1))
            self.things["version", FunctionName, numbers[-1]] = latest
        return {"Version": numbers[-1]}

    def do_get_alias(self, FunctionName: str, Name: str) -> Any:
        return self._get("alias", FunctionName, Name)

    def do_create_alias(self, FunctionName: str, Name: str, **request: Any) -> Any:
        self.things["alias", FunctionName, Name] = request
        return {}

    do_update_alias = do_create_alias

    def do_get_function_scaling_config(self, FunctionName: str, Qualifier: str) -> Any:
        return {"RequestedFunctionScalingConfig": self.things.get(("scaling", FunctionName, Qualifier), {})}

    def do_put_function_scaling_config(self, FunctionName: str, Qualifier: str, FunctionScalingConfig: Any) -> Any:
        self.things["scaling", FunctionName, Qualifier] = FunctionScalingConfig
        return {}

    def do_get_function_url_config(self, FunctionName: str, Qualifier: str = "") -> Any:
        return self._get("url", FunctionName, Qualifier)

    def do_create_function_url_config(self, FunctionName: str, Qualifier: str = "", **request: Any) -> Any:
        self.things["url", FunctionName, Qualifier] = {"FunctionUrl": "http://id.localhost/", **request}
        return self.things["url", FunctionName, Qualifier]

    def do_update_function_url_config(self, FunctionName: str, Qualifier: str = "", **request: Any) -> Any:
        self.things["url", FunctionName, Qualifier] |= request
        return {}

    def do_put_function_event_invoke_config(self, **request: Any) -> Any:
        return {}


def error(code: str, message: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "GetThing")


@pytest.fixture
def client() -> FakeClient:
    return FakeClient()


@pytest.fixture
def deployer(client: FakeClient) -> Deployer:
    return Deployer(client, lambda sentence: None)


def plan(tmp_path: Path, **changes: Any) -> Plan:
    function: dict[str, Any] = {
        "name": "hello",
        "code": tmp_path,
        "configuration": {"Runtime": "python3.13", "Environment": {"Variables": {"A": "a"}}, "Role": "r"},
        "scaling": SCALING,
        "url": {"AuthType": "NONE"},
        **changes,
    }
    request = {"CapacityProviderName": "pool", "VpcConfig": {"SubnetIds": ["subnet-a"]}}
    limits = changes.pop("limits", None)
    function.pop("limits", None)
    if limits is not None:
        request["CapacityProviderScalingConfig"] = limits
    return Plan(
        source=tmp_path,
        providers=(ProviderPlan(name="pool", request=request),),
        functions=(FunctionPlan(**function),),
    )


def test_everything_is_created(client: FakeClient, deployer: Deployer, tmp_path: Path):
    deployed = deployer.apply(plan(tmp_path, event_invoke={"MaximumRetryAttempts": 0}))
    assert deployed == [Deployed(name="hello", qualifiers=("$LATEST.PUBLISHED",), url="http://id.localhost/")]
    assert client.changes == [
        "create_capacity_provider",
        "create_function",
        "publish_version",
        "put_function_scaling_config",
        "create_function_url_config",
        "put_function_event_invoke_config",
    ]
    (created,) = (request for operation, request in client.requests if operation == "create_function")
    assert created["Code"] == {"S3Bucket": LOCAL_FOLDER, "S3Key": str(tmp_path)}


def test_nothing_is_done_twice(client: FakeClient, deployer: Deployer, tmp_path: Path):
    deployer.apply(plan(tmp_path, alias="live", limits={"MaxVCpuCount": 8}))
    assert client.changes
    (again,) = deployer.apply(plan(tmp_path, alias="live", limits={"MaxVCpuCount": 8}))
    assert not again.changed
    # Whether there is anything new in the code, and so a new number, is for the plane to know.
    assert client.changes == ["update_function_code", "publish_version"]


def test_what_is_different_is_changed(client: FakeClient, deployer: Deployer, tmp_path: Path):
    deployer.apply(plan(tmp_path))
    assert client.changes
    different = plan(
        tmp_path,
        configuration={"Runtime": "python3.13", "Environment": {"Variables": {"A": "b"}}, "Role": "other"},
        scaling={"MinExecutionEnvironments": 2},
        url={"AuthType": "NONE", "InvokeMode": "RESPONSE_STREAM"},
        limits={"MaxVCpuCount": 8},
    )
    (changed,) = deployer.apply(different)
    assert changed.changed
    assert client.changes == [
        "update_capacity_provider",
        "update_function_configuration",
        "update_function_code",
        "publish_version",
        "put_function_scaling_config",
        "update_function_url_config",
    ]
    (request,) = (request for operation, request in client.requests if operation == "update_function_configuration")
    assert "Role" not in request


def test_new_code_is_published(client: FakeClient, deployer: Deployer, tmp_path: Path):
    deployer.apply(plan(tmp_path))
    assert client.changes
    archive = tmp_path / "code.zip"
    archive.write_bytes(b"PK")
    (changed,) = deployer.apply(plan(tmp_path, code=archive))
    assert changed.changed
    assert client.changes == ["update_function_code", "publish_version"]
    assert client.requests[-1][0] != "create_function"


def test_what_failed_is_published_again(client: FakeClient, deployer: Deployer, tmp_path: Path):
    deployer.apply(plan(tmp_path))
    assert client.changes
    client.states = ["Failed"]
    (again,) = deployer.apply(plan(tmp_path))
    assert again.changed
    assert client.changes == ["update_function_code", "publish_version"]


def test_alias(client: FakeClient, deployer: Deployer, tmp_path: Path):
    wanted = {"publish_latest": False, "alias": "live"}
    (first,) = deployer.apply(plan(tmp_path, **wanted))
    assert (first.qualifiers, client.things["alias", "hello", "live"]) == (("1",), {"FunctionVersion": "1"})
    (second,) = deployer.apply(plan(tmp_path, **wanted, configuration={"Runtime": "python3.14"}))
    assert (second.qualifiers, client.things["alias", "hello", "live"]) == (("2",), {"FunctionVersion": "2"})
    assert client.things["scaling", "hello", "2"] == SCALING
    assert ("url", "hello", "live") in client.things


def test_what_cannot_be_changed_is_said(client: FakeClient, tmp_path: Path):
    said: list[str] = []
    deployer = Deployer(client, said.append)
    deployer.apply(plan(tmp_path))
    client.things["provider", "pool"]["VpcConfig"] = {"SubnetIds": ["subnet-b"]}
    deployer.apply(plan(tmp_path))
    assert any("pool keeps its VpcConfig" in sentence for sentence in said)


class TestWait:
    DEPLOYED = Deployed(name="hello", qualifiers=("$LATEST.PUBLISHED",))

    @pytest.fixture(autouse=True)
    def published(self, client: FakeClient, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(deploy, "BETWEEN_LOOKS", 0.0)
        client.things["version", "hello", "$LATEST.PUBLISHED"] = {"StateReason": "it died", "StateReasonCode": "Died"}

    def test_active(self, client: FakeClient, deployer: Deployer):
        assert deployer.wait(self.DEPLOYED) == ""
        assert len(client.calls) == 2

    def test_failed(self, client: FakeClient, deployer: Deployer):
        client.states = ["Pending", "Failed"]
        assert deployer.wait(self.DEPLOYED) == "Died: it died"

    def test_given_up(self, client: FakeClient, deployer: Deployer):
        client.states = ["Pending"]
        assert deployer.wait(self.DEPLOYED, give_up=lambda: len(client.calls) > 3) == ""


@pytest.mark.parametrize(
    ("refusal", "said"),
    [
        (error("ValidationException", "1 validation\nerror"), "GetThing: ValidationException: 1 validation error"),
        (EndpointConnectionError(endpoint_url="http://x"), "Could not connect"),
    ],
)
@pytest.mark.parametrize("operation", ["create_function", "get_capacity_provider"])
def test_refusals_are_one_sentence(
    client: FakeClient, deployer: Deployer, tmp_path: Path, operation: str, refusal: Exception, said: str
):
    client.refuse[operation] = refusal
    with pytest.raises(NotDeployed) as caught:
        deployer.apply(plan(tmp_path))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
