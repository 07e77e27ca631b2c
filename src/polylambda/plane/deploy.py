"""Brings a plane to what a template asks for, through AWS's API as anybody else would.

It may be done again and again: what is there already and as wanted stays untouched, so that nothing is started anew
without need. What a template no longer has is left alone, as it may be somebody else's.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session

from polylambda.errors import PolylambdaError
from polylambda.plane.code import LOCAL_FOLDER
from polylambda.plane.records import LATEST_PUBLISHED

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from polylambda.plane.plan import FunctionPlan, Plan, ProviderPlan
    from polylambda.plane.records import Document

ANY_CREDENTIALS = ("polylambda", "polylambda")
"""Access key and secret for a plane that takes any."""

BETWEEN_LOOKS = 0.2
"""Seconds between two looks at something that is to become Active."""

_MISSING = "ResourceNotFoundException"
_SCALING = "CapacityProviderScalingConfig"


class NotDeployed(PolylambdaError):
    """The plane refused something of a template, or does not answer; the message says what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """A function that is on the plane.

    Attributes:
        name: of the function.
        qualifiers: what was published.
        url: its function URL; empty when it has none.
        changed: whether anything had to be published.
    """

    name: str
    qualifiers: tuple[str, ...]
    url: str = ""
    changed: bool = True


def client_of(url: str, region: str, *, credentials: tuple[str, str] = ANY_CREDENTIALS) -> Any:
    """Return botocore's Lambda client for a plane, without a look at anybody's AWS configuration.

    Args:
        url: of the plane.
        region: AWS region that the plane says it is.
        credentials: access key and secret; on loopback any will do.
    """
    config = Config(retries={"total_max_attempts": 1}, proxies={}, connect_timeout=5, read_timeout=60)
    access_key, secret = credentials
    return Session().create_client(
        "lambda",
        region_name=region,
        endpoint_url=url,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret,
        config=config,
    )


class Deployer:
    """Deploys plans to one plane. Its methods block."""

    def __init__(self, client: Any, say: Callable[[str], None]) -> None:
        """Use botocore's `client`; `say` is told of each step, in a sentence."""
        self._client = client
        self._say = say

    def apply(self, plan: Plan) -> list[Deployed]:
        """Create what a plan asks for, and change what is there but different. What is published comes up afterwards.

        Raises:
            NotDeployed: the plane refused, or does not answer.
        """
        for provider in plan.providers:
            self._provider(provider)
        deployed = [self._function(function) for function in plan.functions]
        # Afterwards: a destination may be a function that comes later in the template.
        for function in plan.functions:
            if function.event_invoke is not None:
                self._call("put_function_event_invoke_config", FunctionName=function.name, **function.event_invoke)
        return deployed

    def wait(self, deployed: Deployed, *, give_up: Callable[[], bool] = lambda: False) -> str:
        """Wait until everything published of a function has come up.

        Args:
            deployed: the function.
            give_up: is asked between two looks; the wait ends early when it says so.

        Returns:
            An empty text, or why it did not come up.

        Raises:
            NotDeployed: the plane does not answer.
        """
        for qualifier in deployed.qualifiers:
            while not give_up():
                found = self._call("get_function_configuration", FunctionName=deployed.name, Qualifier=qualifier)
                if found.get("State") == "Active":
                    break
                if found.get("State") == "Failed":
                    return f"{found.get('StateReasonCode', 'Failed')}: {found.get('StateReason', 'it says no reason')}"
                time.sleep(BETWEEN_LOOKS)
        return ""

    # Capacity providers

    def _provider(self, plan: ProviderPlan) -> None:
        found = self._find("get_capacity_provider", CapacityProviderName=plan.name)
        if found is None:
            self._say(f"creating capacity provider {plan.name}")
            self._call("create_capacity_provider", **plan.request)
            return
        present = found["CapacityProvider"]
        for fixed in ("VpcConfig", "InstanceRequirements"):
            if fixed in plan.request and not _holds(present.get(fixed), plan.request[fixed]):
                self._say(
                    f"capacity provider {plan.name} keeps its {fixed}, which cannot be changed: give the new one another name"
                )
        if _SCALING in plan.request and not _holds(present.get(_SCALING), plan.request[_SCALING]):
            self._say(f"changing the limits of capacity provider {plan.name}")
            self._call(
                "update_capacity_provider",
                CapacityProviderName=plan.name,
                CapacityProviderScalingConfig=plan.request[_SCALING],
            )

    # Functions

    def _function(self, plan: FunctionPlan) -> Deployed:
        present = self._find("get_function_configuration", FunctionName=plan.name)
        if present is None:
            self._say(f"creating function {plan.name}")
            request = {"FunctionName": plan.name, "Code": _code(plan.code), **plan.configuration}
            self._call("create_function", **request)
        else:
            self._update(plan, present)
        qualifiers: list[str] = []
        changed = False
        if plan.publish_latest:
            changed = self._publish_latest(plan.name)
            qualifiers.append(LATEST_PUBLISHED)
        if plan.alias is not None:
            number, new = self._publish_number(plan.name, plan.alias)
            changed = changed or new
            qualifiers.append(number)
        if plan.scaling is not None:
            for qualifier in qualifiers:
                self._scale(plan.name, qualifier, plan.scaling)
        return Deployed(name=plan.name, qualifiers=tuple(qualifiers), url=self._url(plan), changed=changed)

    def _update(self, plan: FunctionPlan, present: Document) -> None:
        # Tags, architectures and the like are given at creation only, or have operations of their own.
        fixed = ("Architectures", "Role", "Tags")
        wanted = {key: value for key, value in plan.configuration.items() if key not in fixed}
        if not _holds(present, wanted):
            self._say(f"changing the configuration of function {plan.name}")
            self._call("update_function_configuration", FunctionName=plan.name, **wanted)
        self._call("update_function_code", FunctionName=plan.name, **_code(plan.code))

    def _publish_latest(self, name: str) -> bool:
        """Publish to `$LATEST.PUBLISHED`, unless that is what it is already; return whether it was published.

        What has failed is published again: it may have failed for something that is not of the function.
        """
        latest = self._call("get_function_configuration", FunctionName=name)
        published = self._find("get_function_configuration", FunctionName=name, Qualifier=LATEST_PUBLISHED)
        if published is not None and published.get("State") != "Failed" and _runs_the_same(latest, published):
            return False
        self._say(f"publishing function {name}")
        self._call("publish_version", FunctionName=name, PublishTo="LATEST_PUBLISHED")
        return True

    def _publish_number(self, name: str, alias: str) -> tuple[str, bool]:
        """Publish a number, and let the alias name it; return the number, and whether it is a new one."""
        number = self._call("publish_version", FunctionName=name)["Version"]
        present = self._find("get_alias", FunctionName=name, Name=alias)
        if present is None:
            self._call("create_alias", FunctionName=name, Name=alias, FunctionVersion=number)
        elif present["FunctionVersion"] != number:
            self._call("update_alias", FunctionName=name, Name=alias, FunctionVersion=number)
        new = present is None or present["FunctionVersion"] != number
        if new:
            self._say(f"published version {number} of function {name}, alias {alias}")
        return number, new

    def _scale(self, name: str, qualifier: str, scaling: Document) -> None:
        present = self._call("get_function_scaling_config", FunctionName=name, Qualifier=qualifier)
        if not _holds(present.get("RequestedFunctionScalingConfig"), scaling):
            self._call(
                "put_function_scaling_config", FunctionName=name, Qualifier=qualifier, FunctionScalingConfig=scaling
            )

    def _url(self, plan: FunctionPlan) -> str:
        if plan.url is None:
            return ""
        of = {"FunctionName": plan.name} | ({"Qualifier": plan.alias} if plan.alias is not None else {})
        present = self._find("get_function_url_config", **of)
        if present is None:
            return self._call("create_function_url_config", **of, **plan.url)["FunctionUrl"]
        if not _holds(present, plan.url):
            self._call("update_function_url_config", **of, **plan.url)
        return present["FunctionUrl"]

    # Calls

    def _find(self, operation: str, **request: Any) -> Document | None:
        try:
            return getattr(self._client, operation)(**request)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") == _MISSING:
                return None
            raise NotDeployed(_said(error)) from error
        except BotoCoreError as error:
            raise NotDeployed(_said(error)) from error

    def _call(self, operation: str, **request: Any) -> Document:
        try:
            return getattr(self._client, operation)(**request)
        except (ClientError, BotoCoreError) as error:
            raise NotDeployed(_said(error)) from error


def _code(path: Path) -> Document:
    """What a request says about code: a folder is referred to, not copied, so that a change of it is a change."""
    if path.is_dir():
        return {"S3Bucket": LOCAL_FOLDER, "S3Key": str(path)}
    return {"ZipFile": path.read_bytes()}


def _holds(present: Any, wanted: Any) -> bool:
    """Whether everything in `wanted` is in `present`, which may have more."""
    if not isinstance(wanted, dict) or not isinstance(present, dict):
        return present == wanted
    there, asked = cast("Document", present), cast("Document", wanted)
    return all(_holds(there.get(key), value) for key, value in asked.items())


def _runs_the_same(latest: Document, published: Document) -> bool:
    """Whether a version would be published in vain."""
    ignored = (
        "FunctionArn",
        "LastModified",
        "LastUpdateStatus",
        "LastUpdateStatusReason",
        "LastUpdateStatusReasonCode",
        "MasterArn",
        "ResponseMetadata",
        "RevisionId",
        "State",
        "StateReason",
        "StateReasonCode",
        "Version",
    )
    first, second = ({key: value for key, value in each.items() if key not in ignored} for each in (latest, published))
    return first == second


def _said(error: Exception) -> str:
    """What the plane said, in one line."""
    if isinstance(error, ClientError):
        said = error.response.get("Error", {})
        text = f"{error.operation_name}: {said.get('Code', '')}: {said.get('Message', '')}"
    else:
        text = str(error)
    return " ".join(text.split())
