"""A request's parts as the parameters of an operation, by botocore's model. What has the wrong type is refused here."""

from __future__ import annotations

import base64
import binascii
import json
import math
from typing import TYPE_CHECKING, Any, cast

from polylambda.plane.api import errors

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from botocore.model import Shape

    from polylambda.plane.api.model import Target
    from polylambda.plane.records import Document

# By operation: members that null would remove, and what is said to that. Elsewhere null is as good as left out.
_REMOVALS: Mapping[str, Mapping[str, str]] = {
    "UpdateFunctionConfiguration": {
        "CapacityProviderConfig": "CapacityProviderConfig cannot be removed: a function on Lambda Managed Instances "
        "stays there. Leave it out to keep what the function has, or name another capacity provider"
    }
}


def parameters(target: Target, headers: Mapping[str, str], body: bytes) -> Document:
    """Return the parameters of the operation; `headers` have lower-case names. Members with null are left out.

    Raises:
        ApiError: the body is not JSON, something is of another type than the model says, or null is to remove what has
            to stay.
    """
    shape = target.operation.input_shape
    if shape is None:
        return {}
    members: Mapping[str, Any] = cast("Any", shape).members
    found: Document = {}
    in_body: dict[str, Any] = {}
    for name, member in members.items():
        location: str = member.serialization.get("location", "")
        key: str = member.serialization.get("name", name)
        if location == "uri":
            found[name] = _from_text(member, target.labels[key], name)
        elif location == "querystring":
            texts = [text for parameter, text in target.query if parameter == key]
            if texts and member.type_name == "list":
                found[name] = [_from_text(member.member, text, name) for text in texts]
            elif texts:
                found[name] = _from_text(member, texts[0], name)
        elif location in ("header", "headers"):
            if key.lower() in headers:
                found[name] = _from_text(member, headers[key.lower()], name)
        else:
            in_body[name] = member
    if in_body and body:
        document = _json(body)
        for name, problem in _REMOVALS.get(target.operation.name, {}).items():
            if name in document and document[name] is None:
                raise errors.invalid_parameter(problem)
        found |= _structure(document, in_body, "")
    return found


def _json(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise errors.malformed(str(error)) from error
    if not isinstance(document, dict):
        raise errors.malformed("it is not an object")
    return cast("dict[str, Any]", document)


def _structure(document: Mapping[str, Any], members: Mapping[str, Any], path: str) -> Document:
    found: Document = {}
    for name, member in members.items():
        value = document.get(member.serialization.get("name", name))
        if value is not None:
            found[name] = _value(member, value, f"{path}.{name}" if path else name)
    return found


def _value(shape: Any, value: Any, path: str) -> Any:
    if shape.type_name == "structure":
        return _structure(_expect(value, dict, path, "an object"), shape.members, path)
    if shape.type_name == "list":
        items = enumerate(_expect(value, list, path, "a list"))
        return [_value(shape.member, item, f"{path}[{number}]") for number, item in items if item is not None]
    if shape.type_name == "map":
        items = _expect(value, dict, path, "an object").items()
        return {key: _value(shape.value, item, f"{path}.{key}") for key, item in items if item is not None}
    return _SCALARS[shape.type_name](value, path)


def _expect(value: Any, kind: type, path: str, words: str) -> Any:
    # bool is an int to Python, and not to JSON.
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise errors.malformed(f"{path} must be {words}")
    return value


def _blob(value: Any, path: str) -> bytes:
    text: str = _expect(value, str, path, "base64 text")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise errors.malformed(f"{path} must be base64 text ({error})") from error


def _double(value: Any, path: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise errors.malformed(f"{path} must be a number")
    return float(value)


def _integer(value: Any, path: str) -> int:
    return _expect(value, int, path, "an integer")


def _boolean(value: Any, path: str) -> bool:
    return _expect(value, bool, path, "true or false")


def _string(value: Any, path: str) -> str:
    text: str = _expect(value, str, path, "a string")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:  # half a surrogate pair: nobody could be told of it again
            raise errors.malformed(f"{path} must be a string of Unicode characters") from error
    return text


_SCALARS: dict[str, Callable[[Any, str], Any]] = {
    "blob": _blob,
    "boolean": _boolean,
    "double": _double,
    "float": _double,
    "integer": _integer,
    "long": _integer,
    "string": _string,
}


def _from_text(shape: Shape, text: str, name: str) -> Any:
    """Return what the text of a path, a query or a header means."""
    if shape.type_name in ("integer", "long"):
        try:
            return int(text)
        except ValueError as error:
            raise errors.invalid_parameter(f"{name} is {text[:40]!r}: it must be an integer") from error
    if shape.type_name == "boolean":
        return text.lower() == "true"
    return text
