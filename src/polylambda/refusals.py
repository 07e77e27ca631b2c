"""Why an event is not what the handler's annotation says, told in one way whoever found out.

Paths begin at `event`: `event.items[2].price: expected int, got str`. Here is no validation, only the words for it.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import msgspec

from polylambda.errors import ValidationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Step = str | int

_MISSING = "field is missing"
_UNKNOWN = "unknown field"
_MOST = 5  # problems named in one message

_WHERE = re.compile(r" - at (`key` in )?`\$([^`]*)`$")
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+)\]|(\[\.\.\.\])")
_ANY_KEY = "[...]"  # how msgspec writes a key of a dict
_OF_FIELD = re.compile(r"Object (missing required|contains unknown) field `(.*)`$")


def from_msgspec(error: msgspec.ValidationError, value: Any, annotation: Any) -> ValidationError:
    """Say what msgspec refused in `value`, the decoded event."""
    problem = str(error)
    steps: list[Step] = []
    where = _WHERE.search(problem)
    if where:
        problem = problem[: where.start()]
        steps = _steps(where[2])
        if _ANY_KEY in steps:
            _find_keys(steps, str(error), value, annotation)
    of_field = _OF_FIELD.match(problem)
    if of_field:
        steps.append(of_field[2])
        problem = _MISSING if of_field[1] == "missing required" else _UNKNOWN
    elif where and where[1]:
        problem = f"key: {_sentence(problem)}"
    return ValidationError(_path(steps), _sentence(problem))


def from_pydantic(error: Any, value: Any) -> ValidationError:
    """Say what pydantic refused in `value`, the decoded event."""
    problems = [
        (_path(_steps_in(value, each["loc"], each["type"])), _problem(each))
        for each in error.errors(include_url=False, include_context=False)
    ]
    path, problem = problems[0]
    more = [f"{where}: {what}" for where, what in problems[1:_MOST]]
    if len(problems) > _MOST:
        more.append(f"and {len(problems) - _MOST} more")
    return ValidationError(path, "; ".join([problem, *more]))


def syntax_error(error: Any) -> str | None:
    """Return what is wrong with the JSON, if that is what pydantic refused."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    return first["msg"] if first["type"] == "json_invalid" else None


def _path(steps: Iterable[Step]) -> str:
    path = "event"
    for step in steps:
        if isinstance(step, str) and step.isidentifier():
            path += f".{step}"
        else:
            path += _ANY_KEY if step == _ANY_KEY else f"[{json.dumps(step)}]"
    return path


def _sentence(problem: str) -> str:
    """A library's message as the end of ours."""
    problem = problem.replace("`", "")
    return problem[:1].lower() + problem[1:]


# msgspec


def _steps(path: str) -> list[Step]:
    return [int(index) if index else name or _ANY_KEY for name, index, _ in _STEP.findall(path)]


def _find_keys(steps: list[Step], message: str, value: Any, annotation: Any) -> None:
    """Put into `steps` the keys that msgspec left out; `value` does not survive."""

    def fails() -> bool:
        try:
            msgspec.convert(value, annotation, str_keys=True, dec_hook=lambda _, each: each)
        except Exception as error:  # of msgspec, or of a class's own code about half of its data
            return str(error) == message
        return False

    holder = value
    for place, step in enumerate(steps):
        try:
            if step == _ANY_KEY:
                steps[place] = _failing_key(holder, fails)
            holder = holder[steps[place]]
        except (AttributeError, LookupError, TypeError):
            return  # not where it seems to be, as with a name that has a dot in it


def _failing_key(entries: dict[str, Any], fails: Callable[[], bool]) -> str:
    """The key whose entry alone still fails, found by halves; the others are removed."""
    left = list(entries.items())
    while len(left) > 1:
        half = len(left) // 2
        entries.clear()
        entries.update(left[:half])
        left = left[:half] if fails() else left[half:]
    entries.clear()
    entries.update(left)
    if not fails():
        raise LookupError("it takes several entries to fail")
    return left[0][0]


# pydantic

_EXPECTED = {
    "bool_parsing": "bool",
    "bool_type": "bool",
    "dataclass_type": "object",
    "dict_type": "object",
    "float_parsing": "float",
    "float_type": "float",
    "int_from_float": "int",
    "int_parsing": "int",
    "int_type": "int",
    "list_type": "array",
    "model_attributes_type": "object",
    "model_type": "object",
    "none_required": "null",
    "set_type": "array",
    "string_type": "str",
    "tuple_type": "array",
}


def _problem(error: dict[str, Any]) -> str:
    kind = error["type"]
    if kind == "missing":
        return _MISSING
    if kind == "extra_forbidden":
        return _UNKNOWN
    if kind in _EXPECTED:
        problem = f"expected {_EXPECTED[kind]}, got {_name(error['input'])}"
    else:
        problem = _sentence(error["msg"].replace("Input should ", "must "))
    return f"key: {problem}" if error["loc"][-1:] == ("[key]",) else problem


def _name(value: object) -> str:
    """The kind of a JSON value, in msgspec's words."""
    return {"dict": "object", "list": "array", "NoneType": "null"}.get(type(value).__name__, type(value).__name__)


def _steps_in(value: Any, location: tuple[Step, ...], kind: str) -> list[Step]:
    """The steps of a location that are places in `value`; others name the member of a union that was tried."""
    steps: list[Step] = []
    for place, step in enumerate(location):
        if _has(value, step):
            value = value[step]
        elif kind != "missing" or place != len(location) - 1:
            continue
        steps.append(step)
    return steps


def _has(value: Any, step: Step) -> bool:
    return step in value if isinstance(value, dict) else isinstance(value, list) and isinstance(step, int)
