"""What a SAM template, or a folder with code, asks a plane for. Nothing here talks to one.

Properties: https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-specification.html.
What a plane has no use for is named, so that nobody wonders where their queue went.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar, cast

from polylambda.errors import ConfigurationError
from polylambda.plane.intrinsics import NO_VALUE, Resolver, load, text_of
from polylambda.plane.plan import FunctionPlan, Plan, ProviderPlan

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from polylambda.plane.records import Document

T = TypeVar("T")

PROVIDER = "AWS::Serverless::CapacityProvider"
FUNCTION = "AWS::Serverless::Function"
TEMPLATE_NAMES = ("template.yaml", "template.yml", "template.json")
LAYER = "AWS::Serverless::LayerVersion"
DEFAULT_PROVIDER = "default"
DEFAULT_SUBNETS = ["subnet-a", "subnet-b", "subnet-c"]

# Of a function: what goes into CreateFunction as it is; what has a meaning of its own; what has none here.
_PASSED_ON = (
    "Architectures",
    "Description",
    "EphemeralStorage",
    "Handler",
    "LoggingConfig",
    "MemorySize",
    "Runtime",
    "Timeout",
)
_UNDERSTOOD = (
    "AutoPublishAlias",
    "CapacityProviderConfig",
    "CodeUri",
    "Environment",
    "EventInvokeConfig",
    "FunctionName",
    "FunctionScalingConfig",
    "FunctionUrlConfig",
    "PublishToLatestPublished",
    "Tags",
)
_WITHOUT_MEANING = ("PackageType", "Role", "VersionDeletionPolicy")
_WRAPPER_OF_LAYER = "/opt/polylambda-wrapper"  # in the layer of `polylambda package`; a plane brings polylambda itself


def plan_of(path: Path, *, region: str, account: str, parameters: Mapping[str, str] | None = None) -> Plan:
    """Return what a template, a folder with a template, or a folder with code asks for.

    Args:
        path: the template or the folder.
        region: AWS region that the plane says it is.
        account: AWS account, twelve digits.
        parameters: values for the template's Parameters.

    Raises:
        ConfigurationError: there is nothing of the kind, or it cannot be understood.
    """
    if path.is_dir():
        found = next((path / name for name in TEMPLATE_NAMES if (path / name).is_file()), None)
        if found is None:
            return _plan_of_folder(path, region, account)
        path = found
    elif not path.exists():
        raise ConfigurationError(f"there is no template or folder {path}")
    return _Template(path, region, account, parameters or {}).plan()


def _plan_of_folder(folder: Path, region: str, account: str) -> Plan:
    name = folder.resolve().name
    configuration: Document = {
        "Role": f"arn:aws:iam::{account}:role/{name}",
        "CapacityProviderConfig": managed_config(
            f"arn:aws:lambda:{region}:{account}:capacity-provider:{DEFAULT_PROVIDER}"
        ),
    }
    if (folder / "app.py").is_file():
        configuration |= {"Runtime": "python3.13", "Handler": "app.handler"}
    elif (folder / "bootstrap").is_file():
        configuration |= {"Runtime": "provided.al2023", "Handler": "bootstrap"}
    else:
        raise ConfigurationError(
            f"{folder} holds no template.yaml, no app.py with a handler, and no bootstrap: "
            "name a folder that does, or a template"
        )
    request = provider_request(DEFAULT_PROVIDER, account, subnets=DEFAULT_SUBNETS)
    return Plan(
        source=folder,
        providers=(ProviderPlan(name=DEFAULT_PROVIDER, request=request),),
        functions=(FunctionPlan(name=name, code=folder.resolve(), configuration=configuration),),
    )


def managed_config(arn: str, **more: Any) -> Document:
    """Return a CapacityProviderConfig."""
    return {"LambdaManagedInstancesCapacityProviderConfig": {"CapacityProviderArn": arn, **more}}


def provider_request(name: str, account: str, *, subnets: list[str]) -> Document:
    """Return the least that CreateCapacityProvider takes."""
    return {
        "CapacityProviderName": name,
        "VpcConfig": {"SubnetIds": subnets, "SecurityGroupIds": []},
        "PermissionsConfig": {"CapacityProviderOperatorRoleArn": f"arn:aws:iam::{account}:role/{name}-operator"},
    }


@dataclass(slots=True)
class _Template:
    """Reads one template."""

    path: Path
    region: str
    account: str
    given: Mapping[str, str]
    remarks: list[str] = field(default_factory=list[str])
    _data: dict[str, Any] = field(init=False)
    _resources: dict[str, dict[str, Any]] = field(init=False)
    _resolver: Resolver = field(init=False)
    _naming: list[str] = field(default_factory=list[str])
    _own_layers: set[str] = field(default_factory=set[str])

    def __post_init__(self) -> None:
        self._data = load(self.path)
        self._resources = {
            name: cast("dict[str, Any]", resource)
            for name, resource in self._data["Resources"].items()
            if isinstance(resource, dict)
        }
        self._resolver = Resolver(
            self._ref,
            self._attribute,
            mappings=self._section("Mappings"),
            conditions=self._section("Conditions"),
        )
        unknown = set(self.given) - set(self._section("Parameters"))
        if unknown:
            known = ", ".join(self._section("Parameters")) or "none"
            raise ConfigurationError(
                f"{self.path} has no parameter {', '.join(sorted(unknown))}; its parameters: {known}"
            )

    def plan(self) -> Plan:
        providers: list[ProviderPlan] = []
        functions: list[FunctionPlan] = []
        layers: list[str] = []
        for name, resource in self._resources.items():
            condition = resource.get("Condition")
            if condition is not None and not self._resolver.condition(condition):
                continue
            kind = resource.get("Type")
            if kind == PROVIDER:
                providers.append(self._understood(name, self._provider))
            elif kind == FUNCTION:
                plan = self._understood(name, self._function)
                functions.extend([plan] if plan is not None else [])
            elif kind == LAYER:
                layers.append(name)
            else:
                self._skip(name)
        for name in layers:
            if name not in self._own_layers:
                self._skip(name)
        return Plan(
            source=self.path, providers=tuple(providers), functions=tuple(functions), remarks=tuple(self.remarks)
        )

    def _understood(self, name: str, read: Callable[[str], T]) -> T:
        try:
            return read(name)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ConfigurationError(
                f"{self.path}: the properties of {name} are not as SAM has them ({error!r})"
            ) from error

    # The two kinds of resources

    def _provider(self, name: str) -> ProviderPlan:
        properties = self._properties(name)
        own_name = self._name(name)
        request = provider_request(own_name, self.account, subnets=DEFAULT_SUBNETS)
        if "VpcConfig" in properties:
            request["VpcConfig"] = {"SecurityGroupIds": [], **properties["VpcConfig"]}
        if "OperatorRole" in properties:
            request["PermissionsConfig"] = {"CapacityProviderOperatorRoleArn": properties["OperatorRole"]}
        if "InstanceRequirements" in properties:
            names = {"AllowedTypes": "AllowedInstanceTypes", "ExcludedTypes": "ExcludedInstanceTypes"}
            wanted: Document = properties["InstanceRequirements"]
            request["InstanceRequirements"] = {names.get(key, key): value for key, value in wanted.items()}
        if "ScalingConfig" in properties:
            request["CapacityProviderScalingConfig"] = _scaling_config(properties["ScalingConfig"])
        if "Tags" in properties:
            request["Tags"] = _texts(properties["Tags"])
        understood = {
            "CapacityProviderName",
            "VpcConfig",
            "OperatorRole",
            "InstanceRequirements",
            "ScalingConfig",
            "Tags",
        }
        self._remark_on(name, set(properties) - understood)
        return ProviderPlan(name=own_name, request=request)

    def _function(self, name: str) -> FunctionPlan | None:
        properties = self._properties(name)
        managed = properties.get("CapacityProviderConfig")
        if not managed:
            self.remarks.append(f"{name} is skipped: it has no CapacityProviderConfig, and a plane runs nothing else")
            return None
        if "CodeUri" not in properties:
            self.remarks.append(f"{name} is skipped: it has no CodeUri, the folder or zip file with its code")
            return None
        unused = set(properties) - {*_PASSED_ON, *_UNDERSTOOD, *_WITHOUT_MEANING}
        if _brings_only_polylambda(properties):
            self._own_layers.update(map(str, properties["Layers"]))
            unused.discard("Layers")
        self._remark_on(name, unused)
        managed = dict(managed)
        configuration: Document = {key: properties[key] for key in _PASSED_ON if key in properties}
        configuration["Role"] = f"arn:aws:iam::{self.account}:role/{name}"
        configuration["CapacityProviderConfig"] = managed_config(managed.pop("Arn", ""), **managed)
        if "Environment" in properties:
            configuration["Environment"] = {"Variables": _texts(properties["Environment"].get("Variables") or {})}
        if "Tags" in properties:
            configuration["Tags"] = _texts(properties["Tags"])
        alias = properties.get("AutoPublishAlias")
        return FunctionPlan(
            name=self._name(name),
            code=self._code(name, properties["CodeUri"]),
            configuration=configuration,
            # An alias brings environments of its own; twice as many are only wanted when somebody says so.
            publish_latest=properties.get("PublishToLatestPublished", alias is None),
            alias=alias,
            scaling=properties.get("FunctionScalingConfig"),
            url=properties.get("FunctionUrlConfig"),
            event_invoke=self._event_invoke(name, properties.get("EventInvokeConfig")),
        )

    def _code(self, name: str, uri: Any) -> Path:
        if not isinstance(uri, str) or "://" in uri:
            raise ConfigurationError(f"{name}: CodeUri must be a folder or a zip file on this machine, not {uri}")
        code = (self.path.parent / uri).resolve()
        if not code.exists():
            raise ConfigurationError(f"{name}: there is no {code}, where CodeUri says its code is")
        return code

    def _event_invoke(self, name: str, config: Document | None) -> Document | None:
        if config is None:
            return None
        destinations: Document = {}
        wanted: dict[str, Document] = config.get("DestinationConfig") or {}
        for outcome, destination in wanted.items():
            if destination.get("Type", "Lambda") == "Lambda" and destination.get("Destination"):
                destinations[outcome] = {"Destination": destination["Destination"]}
            else:
                self.remarks.append(f"{name}: {outcome} is left out: a plane sends to functions only")
        request = {key: value for key, value in config.items() if key != "DestinationConfig"}
        return request | ({"DestinationConfig": destinations} if destinations else {})

    def _skip(self, name: str) -> None:
        self.remarks.append(f"{name} is skipped: a plane has no {self._resources[name].get('Type')}")

    def _remark_on(self, name: str, unused: set[str]) -> None:
        if unused:
            self.remarks.append(f"{name}: a plane has no use for {', '.join(sorted(unused))}")

    # What the properties refer to

    def _properties(self, name: str) -> dict[str, Any]:
        """The properties of a resource, with those of Globals, computed."""
        resource = self._resources[name]
        kind = str(resource["Type"]).rpartition("::")[2]
        own: dict[str, Any] = resource.get("Properties") or {}
        return self._resolver.resolve(_merged(self._section("Globals").get(kind) or {}, own), name)

    def _section(self, name: str) -> dict[str, Any]:
        return self._data.get(name) or {}

    def _name(self, name: str) -> str:
        """What a resource is called: as its properties say, else as the template calls it."""
        resource = self._resources[name]
        properties: dict[str, Any] = resource.get("Properties") or {}
        kind = str(resource.get("Type")).rpartition("::")[2]
        chosen = properties.get("FunctionName" if kind == "Function" else f"{kind}Name")
        if chosen is None:
            return name
        if name in self._naming:
            raise ConfigurationError(f"{self.path}: the name of {name} refers to itself")
        self._naming.append(name)
        value = self._resolver.resolve(chosen, name)
        self._naming.remove(name)
        return name if value is NO_VALUE else str(value)

    def _ref(self, name: str) -> Any:
        if name.startswith("AWS::"):
            return {
                "AWS::AccountId": self.account,
                "AWS::NoValue": NO_VALUE,
                "AWS::Partition": "aws",
                "AWS::Region": self.region,
                "AWS::StackId": f"arn:aws:cloudformation:{self.region}:{self.account}:stack/polylambda/local",
                "AWS::StackName": "polylambda",
                "AWS::URLSuffix": "amazonaws.com",
            }[name]
        if name in self._section("Parameters"):
            return self._parameter(name, self._section("Parameters")[name])
        return self._name(name)

    def _parameter(self, name: str, declared: dict[str, Any]) -> Any:
        kind = str(declared.get("Type", "String"))
        several = kind == "CommaDelimitedList" or kind.startswith("List<")
        value = self.given.get(name, declared.get("Default"))
        if value is None and "AWS::EC2::" in kind:
            # Subnets and the like exist on AWS only, and any will do here.
            stand_ins = [f"{_prefix(kind)}-{letter}" for letter in "abc"]
            return stand_ins if several else stand_ins[0]
        if value is None:
            raise ConfigurationError(
                f"the parameter {name} of {self.path} has no value: give it one with --parameter {name}=VALUE"
            )
        return [part.strip() for part in str(value).split(",")] if several else value

    def _attribute(self, name: str, attribute: str) -> Any:
        kind = str(self._resources[name].get("Type"))
        called = self._name(name)
        arns = {
            PROVIDER: f"arn:aws:lambda:{self.region}:{self.account}:capacity-provider:{called}",
            FUNCTION: f"arn:aws:lambda:{self.region}:{self.account}:function:{called}",
            "AWS::IAM::Role": f"arn:aws:iam::{self.account}:role/{called}",
        }
        if attribute == "Arn":
            service = kind.lower().split("::")[1] if "::" in kind else "local"
            return arns.get(kind, f"arn:aws:{service}:{self.region}:{self.account}:{called}")
        if kind in arns:
            raise KeyError(attribute)
        return f"{called}.{attribute}"


def _brings_only_polylambda(properties: dict[str, Any]) -> bool:
    """Whether the layers of a function are the one of `polylambda package`, as its wrapper says that starts it."""
    environment = cast("dict[str, Document]", properties.get("Environment") or {})
    wrapper = (environment.get("Variables") or {}).get("AWS_LAMBDA_EXEC_WRAPPER")
    return wrapper == _WRAPPER_OF_LAYER and len(cast("list[Any]", properties.get("Layers") or [])) == 1


def _prefix(kind: str) -> str:
    """What ids of a parameter type such as `List<AWS::EC2::Subnet::Id>` begin with."""
    thing = kind.partition("AWS::EC2::")[2].partition("::")[0].lower()
    return "sg" if thing == "securitygroup" else thing


def _scaling_config(config: Document) -> Document:
    request: Document = {}
    if "MaxVCpuCount" in config:
        request["MaxVCpuCount"] = config["MaxVCpuCount"]
    target = config.get("AverageCPUUtilization")
    if target is not None:
        policy = {"PredefinedMetricType": "LambdaCapacityProviderAverageCPUUtilization", "TargetValue": float(target)}
        request |= {"ScalingMode": "Manual", "ScalingPolicies": [policy]}
    return request


def _merged(general: Any, own: Any) -> Any:
    """Return properties with those of Globals: mappings are merged, lists joined, the rest is the resource's own."""
    if isinstance(general, dict) and isinstance(own, dict) and not _is_call(general) and not _is_call(own):
        first, second = cast("dict[str, Any]", general), cast("dict[str, Any]", own)
        merged = {key: _merged(value, second[key]) if key in second else value for key, value in first.items()}
        return merged | {key: value for key, value in second.items() if key not in first}
    if isinstance(general, list) and isinstance(own, list):
        return [*cast("list[Any]", general), *cast("list[Any]", own)]
    return cast("Any", own)


def _is_call(value: Any) -> bool:
    return len(value) == 1 and (next(iter(value)) == "Ref" or str(next(iter(value))).startswith("Fn::"))


def _texts(mapping: Mapping[str, Any]) -> dict[str, str]:
    return {key: text_of(value) for key, value in mapping.items()}
