from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator

from polylambda.errors import ConfigurationError
from polylambda.plane.plan import FunctionPlan, Plan
from polylambda.plane.template import plan_of

EXAMPLE = Path(__file__).parents[2] / "examples" / "managed_instances"
HEAD = "Transform: AWS::Serverless-2016-10-31\n"


def read(path: Path, **parameters: str) -> Plan:
    return plan_of(path, region="eu-west-1", account="111122223333", parameters=parameters)


@pytest.fixture
def write(tmp_path: Path):
    (tmp_path / "src").mkdir()

    def write(text: str) -> Path:
        path = tmp_path / "template.yaml"
        path.write_text(HEAD + text)
        return path

    return write


def function(properties: str, more: str = "") -> str:
    """A template with one function, its properties in flow style."""
    return f"""
Resources:
  Pool: {{Type: AWS::Serverless::CapacityProvider}}
  F:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: src
      CapacityProviderConfig: {{Arn: !GetAtt Pool.Arn}}
{"".join(f"      {line}{chr(10)}" for line in properties.splitlines())}
{more}
"""


def only(plan: Plan) -> FunctionPlan:
    (found,) = plan.functions
    return found


def variables(plan: Plan) -> dict[str, str]:
    return only(plan).configuration["Environment"]["Variables"]


class TestExample:
    def test_it_is_understood_whole(self):
        plan = read(EXAMPLE)
        assert plan.source == EXAMPLE / "template.yaml"
        assert plan.remarks == ()
        assert [provider.name for provider in plan.providers] == ["tea-shop"]
        assert [each.name for each in plan.functions] == ["orders", "thumbnail", "report"]
        assert all(each.publish_latest and each.alias is None for each in plan.functions)

    def test_functions(self):
        orders, thumbnail, report = read(EXAMPLE).functions
        assert orders.code == EXAMPLE / "orders"
        assert orders.configuration == {
            "Runtime": "python3.13",
            "Handler": "app.handler",
            "Architectures": ["x86_64"],
            "MemorySize": 2048,
            "Timeout": 10,
            "Environment": {"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/polylambda-wrapper"}},
            "Role": "arn:aws:iam::111122223333:role/Orders",
            "CapacityProviderConfig": {
                "LambdaManagedInstancesCapacityProviderConfig": {
                    "CapacityProviderArn": "arn:aws:lambda:eu-west-1:111122223333:capacity-provider:tea-shop",
                    "PerExecutionEnvironmentMaxConcurrency": 4,
                }
            },
        }
        assert orders.scaling == {"MinExecutionEnvironments": 3, "MaxExecutionEnvironments": 12}
        assert orders.event_invoke == {
            "MaximumRetryAttempts": 0,
            "DestinationConfig": {
                "OnFailure": {"Destination": "arn:aws:lambda:eu-west-1:111122223333:function:report"}
            },
        }
        managed = thumbnail.configuration["CapacityProviderConfig"]["LambdaManagedInstancesCapacityProviderConfig"]
        assert managed["PerExecutionEnvironmentMaxConcurrency"] == 2  # its own, before that of Globals
        assert report.url == {"AuthType": "NONE", "InvokeMode": "RESPONSE_STREAM"}

    def test_botocore_takes_every_request(self):
        model = botocore.session.get_session().get_service_model("lambda")

        def check(operation: str, request: dict[str, Any]) -> None:
            report = ParamValidator().validate(request, model.operation_model(operation).input_shape)
            assert not report.has_errors(), report.generate_report()

        plan = read(EXAMPLE)
        for provider in plan.providers:
            check("CreateCapacityProvider", provider.request)
        for each in plan.functions:
            check("CreateFunction", {"FunctionName": each.name, "Code": {"ZipFile": b""}, **each.configuration})
            for operation, request in (
                ("CreateFunctionUrlConfig", each.url),
                ("PutFunctionEventInvokeConfig", each.event_invoke),
            ):
                if request is not None:
                    check(operation, {"FunctionName": each.name, **request})


class TestProvider:
    def test_least(self, write):
        (provider,) = read(write("Resources: {Pool: {Type: AWS::Serverless::CapacityProvider}}")).providers
        assert provider.name == "Pool"
        assert provider.request["CapacityProviderName"] == "Pool"
        assert len(provider.request["VpcConfig"]["SubnetIds"]) == 3
        assert provider.request["PermissionsConfig"]["CapacityProviderOperatorRoleArn"].startswith("arn:aws:iam::")

    def test_everything(self, write):
        plan = read(
            write("""
Globals:
  CapacityProvider: {Tags: {team: tea}}
Resources:
  Role: {Type: AWS::IAM::Role}
  Pool:
    Type: AWS::Serverless::CapacityProvider
    Properties:
      CapacityProviderName: !Sub "${AWS::StackName}-pool"
      VpcConfig: {SubnetIds: [subnet-1], SecurityGroupIds: [sg-1]}
      OperatorRole: !GetAtt Role.Arn
      InstanceRequirements: {Architectures: [arm64], AllowedTypes: ["m7g.*"], ExcludedTypes: [m7g.metal]}
      ScalingConfig: {MaxVCpuCount: 12, AverageCPUUtilization: 70}
      Tags: {stage: 1}
      KmsKeyArn: key
""")
        )
        (provider,) = plan.providers
        assert provider.request == {
            "CapacityProviderName": "polylambda-pool",
            "VpcConfig": {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]},
            "PermissionsConfig": {"CapacityProviderOperatorRoleArn": "arn:aws:iam::111122223333:role/Role"},
            "InstanceRequirements": {
                "Architectures": ["arm64"],
                "AllowedInstanceTypes": ["m7g.*"],
                "ExcludedInstanceTypes": ["m7g.metal"],
            },
            "CapacityProviderScalingConfig": {
                "MaxVCpuCount": 12,
                "ScalingMode": "Manual",
                "ScalingPolicies": [
                    {"PredefinedMetricType": "LambdaCapacityProviderAverageCPUUtilization", "TargetValue": 70.0}
                ],
            },
            "Tags": {"team": "tea", "stage": "1"},
        }
        assert plan.remarks == (
            "Role is skipped: a plane has no AWS::IAM::Role",
            "Pool: a plane has no use for KmsKeyArn",
        )


class TestFunction:
    def test_least(self, write):
        plan = only(read(write(function(""))))
        assert (plan.name, plan.publish_latest, plan.alias) == ("F", True, None)
        assert plan.code.name == "src"

    @pytest.mark.parametrize(
        ("properties", "latest", "alias"),
        [
            ("PublishToLatestPublished: false", False, None),
            ("AutoPublishAlias: live", False, "live"),
            ("AutoPublishAlias: live\nPublishToLatestPublished: true", True, "live"),
        ],
    )
    def test_what_is_published(self, write, properties: str, latest: bool, alias: str | None):
        plan = only(read(write(function(properties))))
        assert (plan.publish_latest, plan.alias) == (latest, alias)

    def test_what_is_left_out_is_named(self, write):
        more = (
            "  Queue: {Type: AWS::SQS::Queue}\n  Plain: {Type: AWS::Serverless::Function, Properties: {CodeUri: src}}"
        )
        properties = """Events: {}
Layers: []
EventInvokeConfig:
  DestinationConfig: {OnFailure: {Type: SQS}}"""
        plan = read(write(function(properties, more)))
        assert only(plan).event_invoke == {}
        assert plan.remarks == (
            "F: a plane has no use for Events, Layers",
            "F: OnFailure is left out: a plane sends to functions only",
            "Queue is skipped: a plane has no AWS::SQS::Queue",
            "Plain is skipped: it has no CapacityProviderConfig, and a plane runs nothing else",
        )

    @pytest.mark.parametrize("first", [True, False])
    def test_a_layer_with_polylambda_only_is_not_missed(self, write, first: bool):
        layer = "  Runtime: {Type: AWS::Serverless::LayerVersion}\n"
        properties = (
            "Layers: [!Ref Runtime]\nEnvironment: {Variables: {AWS_LAMBDA_EXEC_WRAPPER: /opt/polylambda-wrapper}}"
        )
        text = function(properties, "" if first else layer)
        assert read(write(text.replace("Resources:\n", f"Resources:\n{layer}") if first else text)).remarks == ()

    @pytest.mark.parametrize(
        ("layers", "wrapper", "remarks"),
        [
            (
                "!Ref Runtime, !Ref Other",
                "/opt/polylambda-wrapper",
                [
                    "F: a plane has no use for Layers",
                    "Runtime is skipped: a plane has no AWS::Serverless::LayerVersion",
                    "Other is skipped: a plane has no AWS::Serverless::LayerVersion",
                ],
            ),
            (
                "!Ref Runtime",
                "/opt/polylambda-wrapper",
                ["Other is skipped: a plane has no AWS::Serverless::LayerVersion"],
            ),
            (
                "!Ref Runtime",
                "/opt/otel-instrument",
                [
                    "F: a plane has no use for Layers",
                    "Runtime is skipped: a plane has no AWS::Serverless::LayerVersion",
                    "Other is skipped: a plane has no AWS::Serverless::LayerVersion",
                ],
            ),
        ],
    )
    def test_other_layers_are_named(self, write, layers: str, wrapper: str, remarks: list[str]):
        more = "  Runtime: {Type: AWS::Serverless::LayerVersion}\n  Other: {Type: AWS::Serverless::LayerVersion}"
        properties = f"Layers: [{layers}]\nEnvironment: {{Variables: {{AWS_LAMBDA_EXEC_WRAPPER: {wrapper}}}}}"
        assert list(read(write(function(properties, more))).remarks) == remarks

    def test_conditions_leave_resources_out(self, write):
        text = """
Conditions:
  Production: !Equals [!Ref AWS::Region, us-east-1]
Resources:
  Pool: {Type: AWS::Serverless::CapacityProvider, Condition: Production}
"""
        assert read(write(text)).providers == ()


class TestValues:
    @pytest.mark.parametrize(
        ("value", "text"),
        [
            ("3", "3"),
            ("true", "true"),
            ("2020-01-01", "2020-01-01"),
            ("!Ref F", "F"),
            ("!GetAtt F.Arn", "arn:aws:lambda:eu-west-1:111122223333:function:F"),
            ("!Ref Queue", "Queue"),
            ("!Ref Table", "orders"),
            ("!GetAtt Queue.Arn", "arn:aws:sqs:eu-west-1:111122223333:Queue"),
            ("!GetAtt Queue.QueueName", "Queue.QueueName"),
            (
                "!Sub '${Stage}-${AWS::Region}-${F.Arn}'",
                "dev-eu-west-1-arn:aws:lambda:eu-west-1:111122223333:function:F",
            ),
            ("!Sub '${!Stage}'", "${Stage}"),
            ("!Sub ['${a}${Stage}', {a: !Ref AWS::AccountId}]", "111122223333dev"),
            ("!Join ['-', [a, !Ref Stage, 1]]", "a-dev-1"),
            ("!Select [1, !Split [',', 'a,b']]", "b"),
            ("!Select [0, !Ref Subnets]", "subnet-a"),
            ("!Ref Subnet", "subnet-a"),
            ("!Select [2, !Ref Groups]", "sg-c"),
            ("!Join ['', !Ref List]", "ab"),
            ("!FindInMap [Sizes, !Ref Stage, memory]", "512"),
            ("!If [IsDev, yes-dev, no-dev]", "yes-dev"),
            ("!If [Never, a, b]", "b"),
            ("{'Fn::Sub': '${Stage}'}", "dev"),
        ],
    )
    def test_intrinsic_functions(self, write, value: str, text: str):
        more = """
  Queue: {Type: AWS::SQS::Queue}
  Table: {Type: AWS::Serverless::SimpleTable, Properties: {SimpleTableName: orders}}
Parameters:
  Stage: {Type: String, Default: dev}
  Subnets: {Type: 'List<AWS::EC2::Subnet::Id>'}
  Subnet: {Type: 'AWS::EC2::Subnet::Id'}
  Groups: {Type: 'List<AWS::EC2::SecurityGroup::Id>'}
  List: {Type: CommaDelimitedList, Default: 'a, b'}
Mappings: {Sizes: {dev: {memory: 512}}}
Conditions:
  IsDev: !Equals [!Ref Stage, dev]
  Never: !And [!Condition IsDev, !Not [!Condition IsDev], !Or [!Condition IsDev]]
"""
        assert variables(read(write(function(f"Environment: {{Variables: {{V: {value}}}}}", more)))) == {"V": text}

    def test_no_value(self, write):
        properties = "Timeout: !Ref AWS::NoValue\nEnvironment: {Variables: {V: !Ref AWS::NoValue, W: w}}"
        plan = read(write(function(properties)))
        assert "Timeout" not in only(plan).configuration
        assert variables(plan) == {"W": "w"}

    def test_parameters(self, write):
        text = function("Environment: {Variables: {V: !Ref Stage}}", "Parameters: {Stage: {Type: String}}")
        assert variables(read(write(text), Stage="prod")) == {"V": "prod"}

    def test_globals_are_merged(self, write):
        more = "Globals: {Function: {Timeout: 5, MemorySize: 4096, Environment: {Variables: {A: a, B: b}}}}"
        plan = read(write(function("Timeout: 6\nEnvironment: {Variables: {B: own}}", more)))
        assert only(plan).configuration["Timeout"] == 6
        assert only(plan).configuration["MemorySize"] == 4096
        assert variables(plan) == {"A": "a", "B": "own"}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Resources: [", "is not YAML: "),
        ("nothing: 1", "no Resources"),
        ("Resources: []", "no Resources"),
        (function("Timeout: !Ref Nope"), "refers to Nope"),
        (function("Timeout: !GetAtt Nope.Arn"), "refers to Nope.Arn"),
        (function("Timeout: !GetAtt Pool.Colour"), "refers to Pool.Colour"),
        (function("Timeout: !ImportValue x"), "Fn::ImportValue cannot be computed"),
        (function("Timeout: !Select [7, [a]]"), "Fn::Select is not used as"),
        (function("Timeout: !If [Nope, 1, 2]"), "no condition Nope"),
        (function("FunctionName: !Ref F"), "name of F refers to itself"),
        (function("CodeUri: s3://bucket/key"), "CodeUri must be a folder"),
        (function("CodeUri: nope"), "where CodeUri says"),
        (function("Environment: 3"), "properties of F are not as SAM has them"),
        (function("Timeout: !Ref P", "Parameters: {P: {Type: Number}}"), "--parameter P=VALUE"),
    ],
)
def test_mistakes_are_one_sentence(write, text: str, names: str):
    with pytest.raises(ConfigurationError) as caught:
        read(write(text))
    assert names in str(caught.value)
    assert "\n" not in str(caught.value)


def test_parameter_that_the_template_does_not_have(write):
    with pytest.raises(ConfigurationError, match="no parameter Nope; its parameters: none"):
        read(write("Resources: {}"), Nope="1")


def test_json(tmp_path: Path):
    path = tmp_path / "template.json"
    path.write_text(json.dumps({"Resources": {"Pool": {"Type": "AWS::Serverless::CapacityProvider"}}}))
    assert [provider.name for provider in read(tmp_path).providers] == ["Pool"]


class TestFolder:
    def test_python(self, tmp_path: Path):
        (tmp_path / "hello").mkdir()
        (tmp_path / "hello" / "app.py").touch()
        plan = read(tmp_path / "hello")
        assert [provider.name for provider in plan.providers] == ["default"]
        assert (only(plan).name, only(plan).code) == ("hello", tmp_path / "hello")
        assert only(plan).configuration["Handler"] == "app.handler"

    def test_bootstrap(self, tmp_path: Path):
        (tmp_path / "bootstrap").touch()
        assert only(read(tmp_path)).configuration["Runtime"] == "provided.al2023"

    def test_nothing_to_run(self, tmp_path: Path):
        with pytest.raises(ConfigurationError, match=r"holds no template\.yaml"):
            read(tmp_path)
        with pytest.raises(ConfigurationError, match="no template or folder"):
            read(tmp_path / "nope")
