"""What botocore's model demands of values, checked as the service checks it and said in the service's words.

botocore itself looks at types, required members and minimums before it sends a request; the rest is up to the service.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any, cast

from polylambda.plane.api import errors

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from botocore.model import Shape

    from polylambda.plane.records import Document

_SHOWN = 200  # characters of a value in a message

# Classes of Unicode that Java's regular expressions have; in brackets these come closest.
_CLASSES = {r"\p{L}": r"\w", r"\p{Z}": r"\s", r"\p{N}": r"\d"}


def check(shape: Shape | None, parameters: Document) -> None:
    """Check the parameters of an operation.

    Raises:
        ApiError: a ValidationException that names everything that is wrong.
    """
    if shape is not None and (problems := list(_structure(cast("Any", shape), parameters, ""))):
        raise errors.validation_error(problems)


def _structure(shape: Any, value: Mapping[str, Any], path: str) -> Iterator[str]:
    for name in shape.required_members:
        if name not in value:
            yield _problem("Value null", _joined(path, name), "Member must not be null")
    for name, item in value.items():
        yield from _value(shape.members[name], item, _joined(path, name))


def _value(shape: Any, value: Any, path: str) -> Iterator[str]:
    broken = [words for words, holds in _rules(shape, value) if not holds]
    for words in broken:
        yield _problem(_quoted(shape, value), path, words)
    if broken:
        return
    if shape.type_name == "structure":
        yield from _structure(shape, value, path)
    elif shape.type_name == "list":
        yield from _list(shape, value, path)
    elif shape.type_name == "map":
        for what, member, items in (("keys", shape.key, value.keys()), ("value", shape.value, value.values())):
            if not all(_holds(member, item) for item in items):
                demand = f"Map {what} must satisfy constraint: [{_demands(member)}]"
                yield _problem(_quoted(shape, value), path, demand)


def _list(shape: Any, value: list[Any], path: str) -> Iterator[str]:
    member = shape.member
    if member.type_name in ("structure", "list", "map"):
        for number, item in enumerate(value, 1):
            yield from _value(member, item, f"{path}.{number}.member")
    elif not all(_holds(member, item) for item in value):
        demand = f"Member must satisfy constraint: [{_demands(member)}]"
        yield _problem(_quoted(shape, value), path, demand)


def _holds(shape: Any, value: Any) -> bool:
    return all(holds for _, holds in _rules(shape, value))


def _demands(shape: Any) -> str:
    return ", ".join([*(words for words, _ in _rules(shape, None)), "Member must not be null"])


def _rules(shape: Any, value: Any) -> Iterator[tuple[str, bool]]:
    """Yield each demand on a value, and whether it is met; with None for a value only the words count."""
    facts: Mapping[str, Any] = shape.metadata
    is_number = shape.type_name in ("integer", "long", "double", "float")
    what = "value" if is_number else "length"
    size: Any = 0 if value is None else value if is_number else len(value) if hasattr(value, "__len__") else 0
    if "max" in facts:
        yield f"Member must have {what} less than or equal to {facts['max']}", size <= facts["max"]
    if "min" in facts:
        yield f"Member must have {what} greater than or equal to {facts['min']}", size >= facts["min"]
    if "pattern" in facts:
        pattern: str = facts["pattern"]
        matches = isinstance(value, str) and _compiled(pattern).fullmatch(value) is not None
        yield f"Member must satisfy regular expression pattern: {pattern}", matches
    if shape.type_name == "string" and shape.enum:
        yield f"Member must satisfy enum value set: [{', '.join(shape.enum)}]", value in shape.enum


@functools.cache
def _compiled(pattern: str) -> re.Pattern[str]:
    for name, ours in _CLASSES.items():
        pattern = pattern.replace(name, ours)
    return re.compile(pattern)


def _joined(path: str, name: str) -> str:
    name = name[:1].lower() + name[1:]
    return f"{path}.{name}" if path else name


def _quoted(shape: Any, value: Any) -> str:
    if shape.metadata.get("sensitive"):
        return "Value"
    text = _shown(value)
    return f"Value '{text if len(text) <= _SHOWN else f'{text[: _SHOWN - 3]}...'}'"


def _shown(value: Any) -> str:
    """Return a value as Java shows it."""
    if isinstance(value, list):
        return f"[{', '.join(map(_shown, cast('list[Any]', value[:20])))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}={_shown(item)}' for key, item in list(cast('Document', value).items())[:20])}}}"
    return str(value)[:_SHOWN]


def _problem(value: str, path: str, demand: str) -> str:
    return f"{value} at '{path}' failed to satisfy constraint: {demand}"
