"""The steps of docs/deploy.md by hand, with the AWS CLI, on a plane: all but those for IAM, which is on AWS only."""

from __future__ import annotations

import os
import sys
import zipfile
from pathlib import Path

import pytest

from tests.integration.transcript import Terminal, steps

PAGE = Path(__file__).parent.parent.parent / "docs" / "deploy.md"


@pytest.mark.timeout(300)  # its commands wait for the plane
def test_by_hand(aws: str, tmp_path: Path):
    shim = tmp_path / "aws.sh"
    shim.write_text(aws)
    variables = {
        "BASH_ENV": str(shim),
        "AWS_ACCESS_KEY_ID": "any",
        "AWS_SECRET_ACCESS_KEY": "any",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    found = [step for step in steps(PAGE) if not step.command.startswith("aws iam ")]
    first = next(number for number, step in enumerate(found) if step.command == "polylambda init hello greeter")
    called = {step.command.split()[2] for step in found if step.command.startswith("aws lambda ")}
    assert called >= {
        "create-capacity-provider",
        "create-function",
        "publish-version",
        "invoke",
        "update-function-code",
    }
    with Terminal(tmp_path, variables) as terminal:
        for step in found[first:]:
            if step.command == "polylambda package":
                # As it is, so that the plane runs it on the Python that is here.
                (tmp_path / "greeter" / "build").mkdir()
                with zipfile.ZipFile(tmp_path / "greeter" / "build" / "function.zip", "w") as package:
                    package.write(tmp_path / "greeter" / "app.py", "app.py")
            else:
                terminal.run(step)
