"""An operation's result as an HTTP response, by botocore's model."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, cast

import msgspec

from polylambda.local.answers import Answer, Head
from polylambda.rapi.headers import JSON

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from botocore.model import OperationModel

    from polylambda.plane.records import Document


def answer(operation: OperationModel, result: Document, request_id: str) -> Answer:
    """Return the response that tells `result`; members that the model does not have are left out, and so is None."""
    status: int = cast("Any", operation).http.get("responseCode", 200)
    headers = [(b"x-amzn-requestid", request_id.encode())]
    told: Document = {}
    shape = operation.output_shape
    if shape is None:
        return Answer(head=Head(status=status, headers=tuple(headers)), body=b"")
    members: Mapping[str, Any] = cast("Any", shape).members
    for name, member in members.items():
        value = result.get(name)
        if value is None:
            continue
        location = member.serialization.get("location")
        if location == "statusCode":
            status = value
        elif location == "header":
            headers.append((member.serialization["name"].lower().encode(), str(value).encode()))
        else:
            told[member.serialization.get("name", name)] = _told(member, value)
    headers.append((b"content-type", JSON.encode()))
    return Answer(head=Head(status=status, headers=tuple(headers)), body=msgspec.json.encode(told))


def _told(shape: Any, value: Any) -> Any:
    if shape.type_name == "blob":
        return base64.b64encode(value).decode()
    form = _CONTAINERS.get(shape.type_name)
    return value if form is None else form(shape, value)  # times are seconds since the epoch in this protocol


def _structure(shape: Any, value: Mapping[str, Any]) -> Document:
    return {
        member.serialization.get("name", name): _told(member, value[name])
        for name, member in shape.members.items()
        if value.get(name) is not None
    }


def _list(shape: Any, value: list[Any]) -> list[Any]:
    return [_told(shape.member, item) for item in value]


def _map(shape: Any, value: Mapping[str, Any]) -> Document:
    return {key: _told(shape.value, item) for key, item in value.items()}


_CONTAINERS: dict[str, Callable[[Any, Any], Any]] = {"structure": _structure, "list": _list, "map": _map}
