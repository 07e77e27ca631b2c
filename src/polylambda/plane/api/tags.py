"""Tags of functions and capacity providers. See https://docs.aws.amazon.com/lambda/latest/api/API_TagResource.html."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from polylambda.plane.api import errors

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from polylambda.plane.api.operations import Operation
    from polylambda.plane.api.resources import Resources
    from polylambda.plane.records import Document

MAX_TAGS = 50


class Tags:
    """The operations on tags."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._store = resources.store

    @property
    def operations(self) -> Mapping[str, Operation]:
        """What is here, by AWS's names."""
        return {"TagResource": self.add, "UntagResource": self.remove, "ListTags": self.list_all}

    def add(self, parameters: Document) -> Document:
        """Add or replace tags."""
        wanted: dict[str, str] = parameters["Tags"]
        self._change(parameters["Resource"], lambda tags: tags | wanted)
        return {}

    def remove(self, parameters: Document) -> Document:
        """Remove tags; those that are not there are no error."""
        keys: list[str] = parameters["TagKeys"]
        self._change(parameters["Resource"], lambda tags: {key: tags[key] for key in tags if key not in keys})
        return {}

    def list_all(self, parameters: Document) -> Document:
        """Tell the tags of something."""
        arn: str = parameters["Resource"]
        if ":capacity-provider:" in arn:
            return {"Tags": self._resources.provider(arn).tags}
        return {"Tags": self._store.function_tags(self._function(arn))}

    def _change(self, arn: str, change: Callable[[dict[str, str]], dict[str, str]]) -> None:
        if ":capacity-provider:" in arn:
            record = self._resources.provider(arn)
            self._store.put_provider(replace(record, tags=_checked(change(record.tags))))
        else:
            function = self._function(arn)
            self._store.put_function_tags(function, _checked(change(self._store.function_tags(function))))

    def _function(self, arn: str) -> str:
        reference = self._resources.names.function(arn)
        if reference.qualifier:
            raise errors.invalid_parameter("Tags on function aliases and versions are not supported.")
        return self._resources.function(arn).function_name


def _checked(tags: dict[str, str]) -> dict[str, str]:
    if len(tags) > MAX_TAGS:
        raise errors.invalid_parameter(f"A resource has at most {MAX_TAGS} tags, not {len(tags)}")
    return tags
