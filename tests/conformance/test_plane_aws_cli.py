"""A shell script of AWS CLI commands, as one would write it for AWS, on a real plane: a function's whole life."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.plane_process import PATIENCE, ROLE, PlaneProcess, wait_until, zipped

APP = """
from pathlib import Path

def handler(event, context):
    if "touch" in event:
        Path(event["touch"]).touch()
    return {"greetings": f"Hello {event.get('name')}!", "version": context.function_version}
"""

# Of version 1 of the AWS CLI, as tests install it; version 2 wants `--cli-binary-format raw-in-base64-out` with a payload.
SCRIPT = """
set -euo pipefail

provider=$(aws lambda create-capacity-provider --capacity-provider-name pool \\
    --vpc-config SubnetIds=subnet-1,SecurityGroupIds=sg-1 \\
    --permissions-config CapacityProviderOperatorRoleArn="$ROLE" \\
    --query CapacityProvider.CapacityProviderArn --output text)
managed="{CapacityProviderArn=$provider,PerExecutionEnvironmentMaxConcurrency=2}"
aws lambda create-function --function-name hello --runtime python3.13 --handler app.handler --role "$ROLE" \\
    --zip-file fileb://code.zip --memory-size 2048 \\
    --capacity-provider-config "LambdaManagedInstancesCapacityProviderConfig=$managed" > created.json
version=$(aws lambda publish-version --function-name hello --query Version --output text)
aws lambda put-function-scaling-config --function-name hello --qualifier "$version" \\
    --function-scaling-config MinExecutionEnvironments=1,MaxExecutionEnvironments=2 > put.json

aws lambda list-capacity-providers > providers.json
aws lambda list-functions > functions.json
aws lambda list-versions-by-function --function-name hello > versions.json
aws lambda list-function-versions-by-capacity-provider --capacity-provider-name pool > on_pool.json

aws lambda wait published-version-active --function-name hello --qualifier "$version"

aws lambda invoke --function-name hello --qualifier "$version" \\
    --payload '{"name": "Grace"}' answer.json > invoked.json
aws lambda invoke --function-name "hello:$version" --invocation-type Event \\
    --payload "{\\"touch\\": \\"$PWD/touched\\"}" nothing.json > accepted.json
aws lambda get-function-scaling-config --function-name hello --qualifier "$version" > scaling.json
"""

THE_END = """
set -euo pipefail

aws lambda delete-function --function-name hello
until [ "$(aws lambda list-functions --query 'length(Functions)')" = 0 ]; do :; done
aws lambda delete-capacity-provider --capacity-provider-name pool > deleted.json
until [ "$(aws lambda list-capacity-providers --query 'length(CapacityProviders)')" = 0 ]; do :; done
! aws lambda get-function --function-name hello 2> error.txt
"""


@pytest.fixture
def plane(tmp_path: Path) -> Iterator[PlaneProcess]:
    with PlaneProcess(tmp_path / "data", "--time-scale", "60", "--cores-per-vcpu", "1") as plane:
        yield plane


def test_the_life_of_a_function(plane: PlaneProcess, aws: str, tmp_path: Path) -> None:
    def bash(script: str) -> None:
        done = subprocess.run(
            ["bash", "-c", aws + script],
            cwd=tmp_path,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(tmp_path),
                "AWS_ENDPOINT_URL_LAMBDA": plane.url,
                "AWS_REGION": "us-east-1",
                "AWS_DEFAULT_REGION": "us-east-1",
                "AWS_ACCESS_KEY_ID": "any",
                "AWS_SECRET_ACCESS_KEY": "any",
                "ROLE": ROLE,
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=2 * PATIENCE,
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\n{plane.fleet()}"

    def told(name: str) -> Any:
        return json.loads((tmp_path / f"{name}.json").read_text())

    (tmp_path / "code.zip").write_bytes(zipped(app__py=APP))
    bash(SCRIPT)
    assert (told("created")["State"], told("created")["Version"]) == ("Pending", "$LATEST")
    assert (told("invoked")["StatusCode"], told("invoked")["ExecutedVersion"]) == (200, "1")
    assert told("answer") == {"greetings": "Hello Grace!", "version": "1"}
    assert told("accepted")["StatusCode"] == 202
    wait_until((tmp_path / "touched").exists, "the event is handled")
    assert told("scaling")["RequestedFunctionScalingConfig"] == {
        "MinExecutionEnvironments": 1,
        "MaxExecutionEnvironments": 2,
    }
    assert [each["State"] for each in told("providers")["CapacityProviders"]] == ["Active"]
    assert [each["FunctionName"] for each in told("functions")["Functions"]] == ["hello"]
    assert [each["Version"] for each in told("versions")["Versions"]] == ["$LATEST", "1"]
    assert any(each["FunctionArn"].endswith(":hello:1") for each in told("on_pool")["FunctionVersions"])

    bash(THE_END)
    assert "ResourceNotFoundException" in (tmp_path / "error.txt").read_text()
    assert plane.fleet()["instances"] == []
