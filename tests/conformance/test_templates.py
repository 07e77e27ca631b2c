"""Every template passes cfn-lint and the SAM translator, and becomes what AWS documents for managed instances.

That is those of the examples, those that `polylambda init` writes, those in the documentation, and what the CDK makes of
its example.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest

from polylambda.package import project
from polylambda.plane.template import plan_of
from scripts import template_tools
from tests.integration.transcript import blocks

ROOT = Path(__file__).parent.parent.parent
EXAMPLES = ROOT / "examples"
TRANSLATE = Path(__file__).parent / "translate.py"
SHOP = EXAMPLES / "managed_instances"

REGION, ACCOUNT = "us-east-1", "111122223333"

# What is right, and cfn-lint 1.58 does not know. Of the transformed template, where the capacity provider is
# CloudFormation's own, it must have nothing to say at all.
NOT_KNOWN = (
    # The SAM specification lists Arn among the return values of AWS::Serverless::CapacityProvider.
    re.compile(r"E1010 line \d+: 'Arn' is not one of \[\] in \["),
    # The CDK makes every function wait for its role, which CloudFormation would do anyway.
    re.compile(r"W3005 line \d+: '\w+ServiceRole\w+' dependency already enforced by a 'GetAtt'"),
)


def translated(template: Path) -> dict[str, Any]:
    """The resources that a template becomes."""
    (looked_at,) = json.loads(run(TRANSLATE, template).stdout).values()
    assert looked_at["error"] is None
    return looked_at["resources"]


def run(*command: str | Path, cwd: Path = ROOT, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a program with the Python of the tools."""
    if not template_tools.PYTHON.exists():
        pytest.fail(f"{template_tools.PYTHON} is missing: run `make tools`.", pytrace=False)
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(
        [template_tools.PYTHON, *command],
        cwd=cwd,
        env={**environ, "AWS_DEFAULT_REGION": REGION, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def problems(*templates: Path) -> dict[str, Any]:
    """What the tools find wrong with templates, by their names."""
    found: dict[str, Any] = {}
    for name, template in json.loads(run(TRANSLATE, "--lint", *templates).stdout).items():
        wrong = [each for each in template["findings"] if not any(known.match(each) for known in NOT_KNOWN)]
        if wrong or template["error"]:
            found[name] = [*wrong, template["error"]]
    return found


def of_type(resources: dict[str, Any], kind: str) -> dict[str, Any]:
    """The properties of all resources of a type."""
    return {name: each["Properties"] for name, each in resources.items() if each["Type"] == kind}


def synthesized(folder: Path) -> Path:
    """What the CDK makes of its example."""
    ignored = shutil.ignore_patterns("__pycache__", ".polylambda", "build")
    copy = shutil.copytree(SHOP, folder / "shop", ignore=ignored)
    (copy / "build").mkdir()
    zipfile.ZipFile(copy / "build" / "layer.zip", "w").close()
    run("app.py", cwd=copy / "cdk", CDK_OUTDIR=str(folder / "out"), JSII_NODE=str(template_tools.node()))
    return folder / "out" / "tea-shop.template.json"


@pytest.mark.timeout(300)  # the CDK is large
def test_all_templates(tmp_path: Path):
    """All at once, with two that are wrong: the tools take longer to start than to look at a template."""
    found = {path.read_text(): path for path in EXAMPLES.rglob("*.yaml")}  # each text once
    assert len(found) >= len(list(EXAMPLES.glob("*/app.py"))) - 2  # three examples share a template
    for kind in project.KINDS:
        project.create(kind, tmp_path / kind / "shop")
        found |= {path.read_text(): path for path in (tmp_path / kind).glob("*/*.yaml")}
    for page in sorted((ROOT / "docs").glob("*.md")):
        for number, (language, text) in enumerate(blocks(page)):
            if language == "yaml" and "AWSTemplateFormatVersion" in text and text not in found:
                found[text] = tmp_path / f"{page.stem}-{number}.yaml"
                found[text].write_text(text)
    right = [path for text, path in found.items() if "AWSTemplateFormatVersion" in text]
    of_the_cdk = synthesized(tmp_path)

    template = (SHOP / "template.yaml").read_text()
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(template.replace("MaxVCpuCount: 32", "MaxVCpuCount: many"))
    refused = tmp_path / "refused.yaml"
    refused.write_text(template.replace("MinExecutionEnvironments", "LeastExecutionEnvironments"))

    seen = problems(*right, of_the_cdk, wrong, refused)
    assert "'many' is not of type 'integer'" in " ".join(map(str, seen.pop(str(wrong))))
    assert "LeastExecutionEnvironments" in " ".join(map(str, seen.pop(str(refused))))
    assert seen == {}
    becomes_what_a_plane_makes_of_it(of_the_cdk)


def becomes_what_a_plane_makes_of_it(of_the_cdk: Path) -> None:
    theirs = json.loads(of_the_cdk.read_text())["Resources"]
    plan = plan_of(SHOP, region=REGION, account=ACCOUNT)
    ((name, expected),) = [(each.name, each.request) for each in plan.providers]
    (provider,) = of_type(theirs, "AWS::Lambda::CapacityProvider").values()
    assert provider["CapacityProviderName"] == name
    for part in ("InstanceRequirements", "CapacityProviderScalingConfig"):
        assert provider[part].items() <= expected[part].items()
    functions = {each["FunctionName"]: each for each in of_type(theirs, "AWS::Lambda::Function").values()}
    assert set(functions) == {each.name for each in plan.functions}
    for each in plan.functions:
        function = functions[each.name]
        assert function["FunctionScalingConfig"] == each.scaling
        assert slots_of(function) == slots_of(each.configuration)
        for part in ("Handler", "MemorySize", "Runtime", "Timeout"):
            assert function[part] == each.configuration[part]
    modes = sorted(each.get("InvokeMode", "BUFFERED") for each in of_type(theirs, "AWS::Lambda::Url").values())
    assert modes == sorted(each.url.get("InvokeMode", "BUFFERED") for each in plan.functions if each.url)


def test_a_managed_project_becomes_a_capacity_provider_and_versions(tmp_path: Path):
    project.create("web", tmp_path / "shop")
    resources = translated(tmp_path / "shop" / "managed.yaml")
    provider = of_type(resources, "AWS::Lambda::CapacityProvider")["Instances"]
    assert provider["VpcConfig"] == {
        "SubnetIds": {"Ref": "Subnets"},
        "SecurityGroupIds": {"Ref": "SecurityGroups"},
    }
    assert provider["InstanceRequirements"] == {"Architectures": ["x86_64"]}
    assert provider["CapacityProviderScalingConfig"] == {"MaxVCpuCount": 32, "ScalingMode": "Auto"}
    role = {"CapacityProviderOperatorRoleArn": {"Fn::GetAtt": ["InstancesOperatorRole", "Arn"]}}
    assert provider["PermissionsConfig"] == role
    operator = of_type(resources, "AWS::IAM::Role")["InstancesOperatorRole"]
    assert "AWSLambdaManagedEC2ResourceOperator" in json.dumps(operator["ManagedPolicyArns"])

    function = of_type(resources, "AWS::Lambda::Function")["Function"]
    assert function["CapacityProviderConfig"] == {
        "LambdaManagedInstancesCapacityProviderConfig": {
            "CapacityProviderArn": {"Fn::GetAtt": ["Instances", "Arn"]},
            "PerExecutionEnvironmentMaxConcurrency": 64,
            "ExecutionEnvironmentMemoryGiBPerVCpu": 2,
        }
    }
    assert function["PublishToLatestPublished"] is False
    assert "VpcConfig" not in function
    (version,) = of_type(resources, "AWS::Lambda::Version").values()
    assert version["FunctionScalingConfig"] == {"MinExecutionEnvironments": 3, "MaxExecutionEnvironments": 12}
    (alias,) = of_type(resources, "AWS::Lambda::Alias").values()
    assert alias["Name"] == "live"
    (url,) = of_type(resources, "AWS::Lambda::Url").values()
    assert url["InvokeMode"] == "RESPONSE_STREAM"
    assert url["TargetFunctionArn"] == {"Ref": "FunctionAliaslive"}


def slots_of(configuration: dict[str, Any]) -> int:
    managed = configuration["CapacityProviderConfig"]["LambdaManagedInstancesCapacityProviderConfig"]
    return managed["PerExecutionEnvironmentMaxConcurrency"]


@pytest.mark.parametrize("kind", project.KINDS)
def test_a_plane_takes_the_managed_template(kind: str, tmp_path: Path):
    project.create(kind, tmp_path / "shop")
    package = tmp_path / "shop" / "build" / "function.zip"
    package.parent.mkdir()
    package.touch()
    plan = plan_of(tmp_path / "shop" / "managed.yaml", region=REGION, account=ACCOUNT)
    assert plan.remarks == ()
    (function,) = plan.functions
    assert function.code == package
    assert function.alias == "live"
    assert not function.publish_latest
    assert function.scaling == {"MinExecutionEnvironments": 3, "MaxExecutionEnvironments": 12}


def test_a_plane_takes_the_three_examples():
    plan = plan_of(EXAMPLES, region=REGION, account=ACCOUNT)
    assert [(each.name, each.code.name, each.alias) for each in plan.functions] == [
        ("hello-json", "hello_json", "live"),
        ("streaming", "streaming", "live"),
        ("background-tasks", "background_tasks", "live"),
    ]
    assert plan.remarks == ()  # it brings its own polylambda


def test_what_the_page_shows_is_in_the_template(tmp_path: Path):
    project.create("hello", tmp_path / "shop")
    written = {
        line.partition(" #")[0].strip() for line in (tmp_path / "shop" / "managed.yaml").read_text().splitlines()
    }
    excerpt = next(text for language, text in blocks(ROOT / "docs" / "deploy.md") if language == "yaml")
    shown = {line.partition(" #")[0].strip() for line in excerpt.splitlines()}
    assert shown <= written
