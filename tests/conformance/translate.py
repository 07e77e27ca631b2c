"""Run with the Python of scripts.template_tools: what cfn-lint and the SAM translator make of templates, as JSON.

    python translate.py [--lint] TEMPLATE...
    {"TEMPLATE": {"findings": ["E1010 line 18: ..."], "resources": {...}, "error": null}, ...}

A SAM template is linted twice: as it is written, and what it becomes. Nothing here needs a network, or credentials.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from cfnlint.config import ConfigMixIn
from cfnlint.runner import Runner
from samtranslator.model.exceptions import InvalidDocumentException
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

REGION = os.environ["AWS_DEFAULT_REGION"]
LOCAL_CODE = {"AWS::Serverless::Function": "CodeUri", "AWS::Serverless::LayerVersion": "ContentUri"}


class Policies:
    """The managed policies that SAM looks up by name; a real one asks IAM."""

    def load(self) -> dict[str, str]:
        names = ("AWSLambdaBasicExecutionRole", "AWSLambdaSQSQueueExecutionRole", "AWSLambdaDynamoDBExecutionRole")
        return {name: f"arn:aws:iam::aws:policy/service-role/{name}" for name in names}


def packaged(template: dict[str, Any]) -> dict[str, Any]:
    """What `sam deploy` makes of it first: code on this machine becomes code in a bucket."""
    for kind, name in LOCAL_CODE.items():
        defaults = template.get("Globals", {}).get(kind.rpartition("::")[2], {})
        owners = [each["Properties"] for each in template["Resources"].values() if each["Type"] == kind]
        for properties in (defaults, *owners):
            if isinstance(properties.get(name), str) and "://" not in properties[name]:
                properties[name] = f"s3://bucket/{properties[name].strip('./')}"
    return template


def translate(path: Path) -> dict[str, Any]:
    template = yaml_parse(path.read_text())
    error = None
    transformed = "Transform" in template
    if transformed:
        try:
            template = transform(packaged(template), {}, Policies())
        except InvalidDocumentException as invalid:
            transformed, error = False, "; ".join(each.message for each in invalid.causes)
    return {"findings": [], "resources": template["Resources"], "error": error, "transformed": transformed}


def lint(templates: dict[str, dict[str, Any]], folder: Path) -> None:
    """Add the findings; all files at once, because the rules take longer to load than to look at one."""
    owners = {name: (name, "") for name in templates}
    for number, (name, translated) in enumerate(templates.items()):
        if translated["transformed"]:
            transformed = folder / f"{number}.json"
            transformed.write_text(
                json.dumps({"Resources": translated["resources"], **parameters(Path(name))}, indent=1)
            )
            owners[str(transformed)] = (name, "transformed: ")
    for match in Runner(ConfigMixIn(templates=list(owners), regions=[REGION])).run():
        name, how = owners[match.filename]
        templates[name]["findings"].append(f"{how}{match.rule.id} line {match.linenumber}: {match.message}")


def parameters(path: Path) -> dict[str, Any]:
    template = yaml_parse(path.read_text())
    return {name: template[name] for name in ("Parameters", "Conditions", "Mappings") if name in template}


with tempfile.TemporaryDirectory() as temporary:
    looked_at = {name: translate(Path(name)) for name in sys.argv[1:] if name != "--lint"}
    if "--lint" in sys.argv:
        lint(looked_at, Path(temporary))
    json.dump(looked_at, sys.stdout)
