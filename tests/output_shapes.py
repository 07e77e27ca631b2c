"""Checks answers of AWS's API, byte for byte as they came, against the output shapes of botocore's model.

botocore itself takes what it knows and passes over the rest.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

# botocore's patterns of outputs know nothing of $LATEST.PUBLISHED in these.
_LOOSE = {"Version", "FunctionArn"}


def problems(operation: Any, status: int, headers: Mapping[str, str], body: bytes) -> list[str]:
    """Return what is wrong with the answer to an operation."""
    found: list[str] = []
    if status >= 300:
        return _error_problems(operation, status, headers, body)
    expected = operation.http.get("responseCode", 200)
    if status != expected and operation.name not in ("Invoke", "InvokeWithResponseStream"):
        found.append(f"status {status}, the model says {expected}")
    shape = operation.output_shape
    if shape is None:
        return [*found, *(["a body where the model has none"] if body else [])]
    if shape.serialization.get("payload"):
        return found
    if not in_body_of(shape) and not body:
        return found
    if "application/json" not in headers.get("content-type", ""):
        found.append(f"content-type is {headers.get('content-type')}")
    in_body = in_body_of(shape)
    required = [name for name in shape.required_members if name in in_body]
    _structure(in_body, required, json.loads(body), operation.name, found)
    return found


def in_body_of(shape: Any) -> dict[str, Any]:
    """Return the members of a structure that are in the body of an answer, by their names there."""
    return {
        member.serialization.get("name", name): member
        for name, member in shape.members.items()
        if "location" not in member.serialization
    }


def _error_problems(operation: Any, status: int, headers: Mapping[str, str], body: bytes) -> list[str]:
    found: list[str] = []
    name = headers.get("x-amzn-errortype", "")
    document = json.loads(body)
    shapes = {shape.name: shape for shape in operation.error_shapes}
    if name in shapes:
        shape = shapes[name]
        if status != shape.metadata["error"]["httpStatusCode"]:
            found.append(f"{name} has status {status}")
        _structure(in_body_of(shape), [], document, name, found)
    elif name not in ("ValidationException", "AccessDeniedException", "InvalidSignatureException"):
        found.append(f"{operation.name} has no error {name}")
    return found


def _structure(members: Mapping[str, Any], required: list[str], value: Any, path: str, found: list[str]) -> None:
    if not isinstance(value, dict):
        found.append(f"{path} is no object")
        return
    found += [f"{path}.{name} is missing" for name in required if name not in value]
    found += [f"{path}.{name} is unknown" for name in value if name not in members]
    for name, member in members.items():
        if name in value:
            _value(member, value[name], f"{path}.{name}", found)


def _value(shape: Any, value: Any, path: str, found: list[str]) -> None:
    kinds = {
        "string": str,
        "blob": str,
        "boolean": bool,
        "integer": int,
        "long": int,
        "double": (int, float),
        "timestamp": (int, float),
    }
    if shape.type_name == "structure":
        members = {member.serialization.get("name", name): member for name, member in shape.members.items()}
        _structure(members, shape.required_members, value, path, found)
    elif shape.type_name == "list":
        for number, item in enumerate(value):
            _value(shape.member, item, f"{path}[{number}]", found)
    elif shape.type_name == "map":
        for key, item in value.items():
            _value(shape.value, item, f"{path}.{key}", found)
    elif not isinstance(value, kinds[shape.type_name]) or (shape.type_name != "boolean" and isinstance(value, bool)):
        found.append(f"{path} is {value!r}, not a {shape.type_name}")
    elif shape.type_name == "string":
        _string(shape, value, path, found)


def _string(shape: Any, value: str, path: str, found: list[str]) -> None:
    facts = shape.metadata
    if shape.enum and value not in shape.enum:
        found.append(f"{path} is {value!r}, not one of {shape.enum}")
    if len(value) < facts.get("min", 0) or len(value) > facts.get("max", len(value)):
        found.append(f"{path} has {len(value)} characters")
    pattern = facts.get("pattern", "").replace(r"\p{L}", r"\w").replace(r"\p{Z}", r"\s").replace(r"\p{N}", r"\d")
    if pattern and not re.fullmatch(pattern, value) and not (shape.name in _LOOSE and "$LATEST.PUBLISHED" in value):
        found.append(f"{path} is {value!r}, not like {pattern}")
