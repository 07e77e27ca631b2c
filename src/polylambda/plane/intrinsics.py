"""CloudFormation's intrinsic functions and YAML tags, as far as functions and capacity providers need them.

A template names things that exist only on AWS (queues, roles, keys). Those get stand-ins, so that a function's
environment variables have some value; what would change the meaning of a function is an error instead.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast

import yaml

from polylambda.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

NO_VALUE = object()
"""What `AWS::NoValue` is: the property that it is the value of is left out."""

_VARIABLE = re.compile(r"\$\{(!?)\s*([^}]*?)\s*\}")
_PLAIN_TAGS = {"!Ref": "Ref", "!Condition": "Condition"}


def load(path: Path) -> dict[str, Any]:
    """Read a template, YAML or JSON; tags such as `!Ref X` become `{"Ref": "X"}`.

    Raises:
        ConfigurationError: it cannot be read, or is no template.
    """
    try:
        data: Any = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506 - a SafeLoader with tags added
    except OSError as error:
        raise ConfigurationError(f"the template {path} cannot be read: {error.strerror}") from error
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark is not None else ""
        raise ConfigurationError(f"the template {path}{line}, is not YAML: {error.problem}") from error
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigurationError(f"the template {path} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(data, dict) or not isinstance(cast("dict[str, Any]", data).get("Resources"), dict):
        raise ConfigurationError(f"{path} is no template: it has no Resources")
    return cast("dict[str, Any]", data)


class _Loader(yaml.SafeLoader):
    """Reads a template as CloudFormation does: with its tags, and without making dates of what looks like one."""


def _tagged(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    tag = f"!{suffix}"
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
        if tag == "!GetAtt":
            value = str(value).split(".", 1)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(cast("yaml.MappingNode", node), deep=True)
    return {_PLAIN_TAGS.get(tag, f"Fn::{suffix}"): value}


cast("Any", _Loader).add_multi_constructor("!", _tagged)
cast("Any", _Loader).yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in cast("Any", yaml.SafeLoader).yaml_implicit_resolvers.items()
}


class Resolver:
    """Computes the values of a template's properties."""

    def __init__(
        self,
        ref: Callable[[str], Any],
        attribute: Callable[[str, str], Any],
        *,
        mappings: Mapping[str, Any],
        conditions: Mapping[str, Any],
    ) -> None:
        """Compute with what the template says elsewhere.

        Args:
            ref: the value of a `Ref`; raises KeyError for a name that is not in the template.
            attribute: the value of a `GetAtt`; likewise.
            mappings: the template's Mappings.
            conditions: the template's Conditions.
        """
        self._ref = ref
        self._attribute = attribute
        self._mappings = mappings
        self._conditions = conditions
        self._functions: dict[str, Callable[[Any, str], Any]] = {
            "Ref": self._do_ref,
            "Condition": self._do_condition,
            "Fn::GetAtt": self._do_get_att,
            "Fn::Sub": self._do_sub,
            "Fn::Join": self._do_join,
            "Fn::Split": self._do_split,
            "Fn::Select": self._do_select,
            "Fn::FindInMap": self._do_find_in_map,
            "Fn::If": self._do_if,
            "Fn::Equals": self._do_equals,
            "Fn::And": lambda value, where: all(self.resolve(value, where)),
            "Fn::Or": lambda value, where: any(self.resolve(value, where)),
            "Fn::Not": lambda value, where: not self.resolve(value, where)[0],
        }

    def resolve(self, value: Any, where: str) -> Any:
        """Return `value` with every intrinsic function computed; `where` is its place, for messages.

        Raises:
            ConfigurationError: a function is not known here, is used wrongly, or names what is not in the template.
        """
        if isinstance(value, list):
            return self._items(cast("list[Any]", value), where)
        if not isinstance(value, dict):
            return value
        mapping = cast("dict[str, Any]", value)
        name = next(iter(mapping)) if len(mapping) == 1 else ""
        if name in self._functions:
            try:
                return self._functions[name](mapping[name], where)
            except (TypeError, ValueError, IndexError, AttributeError) as error:
                raise ConfigurationError(f"{where}: {name} is not used as CloudFormation has it") from error
        if str(name).startswith("Fn::"):
            known = ", ".join(known for known in self._functions if known.startswith("Fn::"))
            raise ConfigurationError(f"{where}: {name} cannot be computed here, only Ref, {known}")
        resolved = {key: self.resolve(item, f"{where}.{key}") for key, item in mapping.items()}
        return {key: item for key, item in resolved.items() if item is not NO_VALUE}

    def condition(self, name: str) -> bool:
        """Return whether a condition of the template holds.

        Raises:
            ConfigurationError: there is no such condition, or it cannot be computed.
        """
        if name not in self._conditions:
            raise ConfigurationError(f"there is no condition {name} in the template")
        return bool(self.resolve(self._conditions[name], f"Conditions.{name}"))

    def _items(self, items: list[Any], where: str) -> list[Any]:
        resolved = (self.resolve(item, f"{where}[{index}]") for index, item in enumerate(items))
        return [item for item in resolved if item is not NO_VALUE]

    def _named(self, look_up: Callable[[], Any], what: str, where: str) -> Any:
        try:
            return look_up()
        except KeyError as error:
            raise ConfigurationError(f"{where} refers to {what}, which is not in the template") from error

    def _do_ref(self, name: str, where: str) -> Any:
        return self._named(lambda: self._ref(name), name, where)

    def _do_condition(self, name: str, _where: str) -> bool:
        return self.condition(name)

    def _do_get_att(self, value: Any, where: str) -> Any:
        name, attribute = value.split(".", 1) if isinstance(value, str) else value
        return self._named(lambda: self._attribute(name, self.resolve(attribute, where)), f"{name}.{attribute}", where)

    def _do_sub(self, value: str | list[Any], where: str) -> str:
        text, own = value if isinstance(value, list) else (value, None)
        variables: dict[str, Any] = self.resolve(own, where) or {}

        def replace(match: re.Match[str]) -> str:
            literal, name = match.groups()
            if literal:
                return f"${{{name}}}"
            if name in variables:
                return text_of(variables[name])
            if "." in name:
                return text_of(self._do_get_att(name, where))
            return text_of(self._do_ref(name, where))

        return _VARIABLE.sub(replace, text)

    def _do_join(self, value: Any, where: str) -> str:
        separator, items = value
        return separator.join(text_of(item) for item in self.resolve(items, where))

    def _do_split(self, value: Any, where: str) -> list[str]:
        separator, text = value
        return self.resolve(text, where).split(separator)

    def _do_select(self, value: Any, where: str) -> Any:
        index, items = value
        return self.resolve(items, where)[int(self.resolve(index, where))]

    def _do_find_in_map(self, value: Any, where: str) -> Any:
        name, first, second = (self.resolve(part, where) for part in value[:3])
        return self._named(lambda: self._mappings[name][first][second], f"{name}.{first}.{second}", where)

    def _do_if(self, value: Any, where: str) -> Any:
        name, yes, no = value
        return self.resolve(yes if self.condition(name) else no, where)

    def _do_equals(self, value: Any, where: str) -> bool:
        first, second = self.resolve(value, where)
        return text_of(first) == text_of(second)


def text_of(value: Any) -> str:
    """Return a scalar as CloudFormation writes it into a string."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ",".join(map(text_of, cast("list[Any]", value)))
    return str(value)
