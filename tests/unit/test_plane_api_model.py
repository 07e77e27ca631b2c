"""Requests as botocore writes them, read back; botocore is the oracle."""

from __future__ import annotations

import string
from typing import Any
from urllib.parse import urlencode

import pytest
from botocore.awsrequest import prepare_request_dict
from botocore.serialize import create_serializer
from hypothesis import given, settings
from hypothesis import strategies as st

from polylambda.local.apierror import ApiError
from polylambda.plane.api import constraints, parsing
from polylambda.plane.api.model import Target, lambda_model
from polylambda.plane.records import Document

MODEL = lambda_model()
SERVICE: Any = MODEL._service
OPERATIONS = [
    "CreateAlias",
    "CreateCapacityProvider",
    "CreateFunction",
    "CreateFunctionUrlConfig",
    "DeleteAlias",
    "DeleteCapacityProvider",
    "DeleteFunction",
    "GetAccountSettings",
    "GetFunction",
    "GetFunctionScalingConfig",
    "ListCapacityProviders",
    "ListFunctions",
    "ListTags",
    "PublishVersion",
    "PutFunctionEventInvokeConfig",
    "PutFunctionScalingConfig",
    "TagResource",
    "UntagResource",
    "UpdateAlias",
    "UpdateCapacityProvider",
    "UpdateFunctionCode",
    "UpdateFunctionConfiguration",
    "UpdateFunctionUrlConfig",
]
WORDS = st.text(string.ascii_letters + string.digits + "-_$:./ +%äß", min_size=1, max_size=12)

RATIO = b'{"ExecutionEnvironmentMemoryGiBPerVCpu": NaN}'


def strategy(shape: Any, depth: int = 0) -> st.SearchStrategy[Any]:
    if shape.type_name == "structure":
        required = {name: strategy(shape.members[name], depth + 1) for name in shape.required_members}
        optional = {name: strategy(member, depth + 1) for name, member in shape.members.items() if name not in required}
        return st.fixed_dictionaries(required, optional=optional if depth < 3 else {})
    if shape.type_name == "list":
        return st.lists(strategy(shape.member, depth + 1), min_size=1, max_size=3)
    if shape.type_name == "map":
        return st.dictionaries(WORDS, strategy(shape.value, depth + 1), max_size=3)
    kinds: dict[str, st.SearchStrategy[Any]] = {
        "string": WORDS,
        "blob": st.binary(max_size=20),
        "boolean": st.booleans(),
        "integer": st.integers(0, 2**31),
        "long": st.integers(0, 2**40),
        "double": st.floats(0, 1e6),
    }
    return kinds[shape.type_name]


def sent(operation: str, parameters: Document) -> tuple[str, str, str, dict[str, str], bytes]:
    """Return method, path, query, headers and body of a request as botocore sends it."""
    model = SERVICE.operation_model(operation)
    request = create_serializer("rest-json", include_validation=False).serialize_to_request(parameters, model)
    prepare_request_dict(request, endpoint_url="http://localhost")
    path, _, query = request["url"].removeprefix("http://localhost").partition("?")
    body = request["body"]
    headers = {name.lower(): value for name, value in request["headers"].items()}
    return request["method"], path, query, headers, body.encode() if isinstance(body, str) else body


@pytest.mark.parametrize("operation", OPERATIONS)
def test_requests_of_botocore(operation: str):
    @settings(max_examples=10)
    @given(strategy(SERVICE.operation_model(operation).input_shape))
    def run(parameters: Document) -> None:
        method, path, query, headers, body = sent(operation, parameters)
        target = MODEL.route(method, path, query)
        assert target is not None
        assert target.operation.name == operation
        assert parsing.parameters(target, headers, body) == parameters

    run()


def test_slash_at_the_end():
    target = MODEL.route("GET", "/2015-03-31/functions/", "FunctionVersion=ALL")
    assert target is not None
    assert target.operation.name == "ListFunctions"


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/"), ("PATCH", "/2015-03-31/functions"), ("GET", "/2015-03-31/functions/a/b/c"), ("GET", "//2015-03-31")],
)
def test_no_operation(method: str, path: str):
    assert MODEL.route(method, path, "") is None


def target_of(operation: str, **labels: str) -> Target:
    return Target(SERVICE.operation_model(operation), labels, ())


class TestMalformed:
    @pytest.mark.parametrize(
        ("body", "message"),
        [
            (b"{", "Expecting property name"),
            (b"[]", "not an object"),
            (b"null", "not an object"),
            (b"\xff", "decode"),
            (b"[" * 200_000, "recursion"),
            (b'{"FunctionName": 1}', "FunctionName must be a string"),
            (b'{"FunctionName": "\\ud800"}', "Unicode"),
            (b'{"Timeout": "3"}', "Timeout must be an integer"),
            (b'{"Timeout": true}', "Timeout must be an integer"),
            (b'{"Publish": 1}', "Publish must be true or false"),
            (b'{"Architectures": "arm64"}', "Architectures must be a list"),
            (b'{"Architectures": [1]}', r"Architectures\[0\] must be a string"),
            (b'{"Tags": []}', "Tags must be an object"),
            (b'{"Tags": {"a": 1}}', "Tags.a must be a string"),
            (b'{"Code": {"ZipFile": "*"}}', "Code.ZipFile must be base64"),
            (b'{"Code": "x"}', "Code must be an object"),
            (b'{"CapacityProviderConfig": {"LambdaManagedInstancesCapacityProviderConfig": %b}}' % RATIO, "a number"),
        ],
    )
    def test_body(self, body: bytes, message: str):
        with pytest.raises(ApiError, match=message) as caught:
            parsing.parameters(target_of("CreateFunction"), {}, body)
        assert (caught.value.status, caught.value.name) == (400, "InvalidRequestContentException")

    def test_query(self):
        target = Target(SERVICE.operation_model("ListFunctions"), {}, [("MaxItems", "many")])
        with pytest.raises(ApiError, match="MaxItems is 'many': it must be an integer"):
            parsing.parameters(target, {}, b"")

    def test_null_is_nothing(self):
        body = b'{"Timeout": null, "Tags": {"a": null}, "Architectures": [null], "Unknown": 1}'
        assert parsing.parameters(target_of("CreateFunction"), {}, body) == {"Tags": {}, "Architectures": []}

    def test_null_does_not_take_a_function_off_its_instances(self):
        update = target_of("UpdateFunctionConfiguration", FunctionName="f")
        with pytest.raises(ApiError, match="CapacityProviderConfig cannot be removed") as caught:
            parsing.parameters(update, {}, b'{"CapacityProviderConfig": null}')
        assert (caught.value.status, caught.value.name) == (400, "InvalidParameterValueException")
        assert parsing.parameters(update, {}, b'{"Timeout": null}') == {"FunctionName": "f"}
        inner = b'{"CapacityProviderConfig": {"LambdaManagedInstancesCapacityProviderConfig": null}}'
        assert "Value null at 'capacityProviderConfig.lambdaManagedInstancesCapacityProviderConfig'" in problem(
            "UpdateFunctionConfiguration", **parsing.parameters(update, {}, inner)
        )


def problem(operation: str, **parameters: Any) -> str:
    with pytest.raises(ApiError) as caught:
        constraints.check(SERVICE.operation_model(operation).input_shape, parameters)
    assert (caught.value.status, caught.value.name) == (400, "ValidationException")
    return caught.value.message


class TestConstraints:
    def test_length_of_a_list(self):
        vpc = {"SubnetIds": [], "SecurityGroupIds": []}
        permissions = {"CapacityProviderOperatorRoleArn": "arn:aws:iam::123456789012:role/r"}
        assert problem(
            "CreateCapacityProvider", CapacityProviderName="a", VpcConfig=vpc, PermissionsConfig=permissions
        ) == (
            "1 validation error detected: Value '[]' at 'vpcConfig.subnetIds' failed to satisfy constraint: "
            "Member must have length greater than or equal to 1"
        )

    def test_several(self):
        message = problem("UpdateFunctionConfiguration", FunctionName="f", Timeout=0, MemorySize=100_000)
        assert message.startswith("2 validation errors detected: Value '0' at 'timeout' failed to satisfy constraint: ")
        assert "Member must have value greater than or equal to 1; Value '100000' at 'memorySize'" in message

    def test_missing(self):
        assert "Value null at 'role' failed to satisfy constraint: Member must not be null" in problem(
            "CreateFunction", FunctionName="f", Code={}
        )

    def test_pattern(self):
        message = problem("GetCapacityProvider", CapacityProviderName="a/b")
        assert "Value 'a/b' at 'capacityProviderName'" in message
        assert "Member must satisfy regular expression pattern: (arn:aws" in message

    def test_enum(self):
        message = problem("UpdateFunctionConfiguration", FunctionName="f", TracingConfig={"Mode": "Always"})
        assert "Value 'Always' at 'tracingConfig.mode'" in message
        assert "Member must satisfy enum value set: [Active, PassThrough]" in message

    def test_member_of_a_list(self):
        assert problem("UpdateFunctionCode", FunctionName="f", Architectures=["sparc"]) == (
            "1 validation error detected: Value '[sparc]' at 'architectures' failed to satisfy constraint: "
            "Member must satisfy constraint: [Member must satisfy enum value set: [x86_64, arm64], "
            "Member must not be null]"
        )

    def test_structure_in_a_list(self):
        policy = {"PredefinedMetricType": "LambdaCapacityProviderAverageCPUUtilization", "TargetValue": 101.0}
        scaling = {"ScalingPolicies": [policy]}
        message = problem("UpdateCapacityProvider", CapacityProviderName="a", CapacityProviderScalingConfig=scaling)
        assert "Value '101.0' at 'capacityProviderScalingConfig.scalingPolicies.1.member.targetValue'" in message

    def test_secrets_are_not_shown(self):
        variables = {"0bad": "secret"}
        message = problem("UpdateFunctionConfiguration", FunctionName="f", Environment={"Variables": variables})
        assert "Value at 'environment.variables' failed to satisfy constraint: Map keys must satisfy" in message
        assert "secret" not in message

    def test_long_values_are_cut(self):
        assert len(problem("GetFunction", FunctionName="x" * 100_000)) < 1000
        assert len(problem("UpdateFunctionCode", FunctionName="f", Architectures=["x" * 1000] * 1000)) < 1000

    def test_unicode_in_tags(self):
        shape = SERVICE.operation_model("TagResource").input_shape
        arn = "arn:aws:lambda:us-east-1:123456789012:function:f"
        constraints.check(shape, {"Resource": arn, "Tags": {"Größe 1": "à/b"}})
        assert "Map keys" in problem("TagResource", Resource=arn, Tags={"a\x01": ""})


def test_every_pattern_compiles():
    for shape in SERVICE.shape_names:
        pattern = SERVICE.shape_for(shape).metadata.get("pattern")
        if pattern:
            constraints._compiled(pattern)


def test_query_of_a_route():
    one = MODEL.route("GET", "/2019-09-30/functions/f/provisioned-concurrency", urlencode({"List": "ALL"}))
    other = MODEL.route("GET", "/2019-09-30/functions/f/provisioned-concurrency", urlencode({"Qualifier": "1"}))
    assert one is not None
    assert other is not None
    names = (one.operation.name, other.operation.name)
    assert names == ("ListProvisionedConcurrencyConfigs", "GetProvisionedConcurrencyConfig")
