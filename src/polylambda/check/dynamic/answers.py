"""Comparing answers: which fields mean something, and which of those differ when invocations run at the same time. Pure.

Times and random ids differ from run to run: what differs between two sequential runs in the same order is passed over. What
differs when only the order does, such as a running number, may be any permutation of the values, but no other values.
"""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from polylambda.check.dynamic.observation import Answer

_ADDRESS = re.compile(r"0x[0-9a-f]{6,}")
_TIMES = re.compile(
    r"(?i)(time|date|elapsed|duration|latency|took|remaining|deadline|expires|seconds|millis|_ms$|^ms$|_s$|^age$)"
)
_POINT = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d.*)?|\d\d:\d\d(:\d\d.*)?")
_DAY = 86_400
_MISSING = "(nothing)"

Fields = dict[str, Any]
Answers = Mapping[int, Answer]


@dataclass(frozen=True, slots=True)
class Difference:
    """A field that is another than in a sequential run.

    Attributes:
        number: of the invocation; None when only the values of all together are others.
        field: its name.
        alone: its value, or the values, in a sequential run.
        together: the same when invocations ran at the same time, or in another order.
        by_order: it depends on what ran before, also when invocations run one at a time.
    """

    number: int | None
    field: str
    alone: str
    together: str
    by_order: bool = False


def fields_of(answer: Answer) -> Fields:
    """Return the fields of an answer: its leaves, by their path; also those of JSON in a string."""
    if answer.error is not None:
        return {"error": f"{answer.error.get('errorType')}: {answer.error.get('errorMessage')}"}
    try:
        value = json.loads(answer.body)
    except ValueError:
        value = answer.body.decode(errors="replace")
    return dict(_leaves(value, ""))


def shape_of(answer: Answer) -> dict[str, Any]:
    """Return what is the same in answers of the same kind: which fields there are, switches and status codes."""
    if answer.error is not None:
        return {"error": answer.error.get("errorType")}
    fields = fields_of(answer)
    return {
        _general(name): value if isinstance(value, bool) or "status" in name.lower() else type(value).__name__
        for name, value in fields.items()
    }


def differences(first: Answers, second: Answers, shuffled: Answers, together: Answers) -> list[Difference]:
    """Return the fields that differ, but should not, in `together`.

    Args:
        first: of a sequential run.
        second: of another in the same order.
        shuffled: of another in another order.
        together: of the run in question.
    """
    alone, again, other, both = (
        {n: fields_of(a) for n, a in each.items()} for each in (first, second, shuffled, together)
    )
    noisy = _differing(alone, again)
    by_order = _differing(alone, other) - noisy
    found: list[Difference] = []
    for name in sorted(by_order):
        before = _values(alone, name)
        if before != _values(other, name):
            number = next(n for n in alone if n in other and _at(alone[n], name) != _at(other[n], name))
            found.append(
                Difference(number, name, str(_at(alone[number], name)), str(_at(other[number], name)), by_order=True)
            )
        elif (after := _values(both, name)) != before and alone.keys() == both.keys():
            found.append(Difference(None, name, _shown(before - after), _shown(after - before)))
    for number in sorted(alone.keys() & both.keys()):
        for name in sorted({_general(each) for each in (*alone[number], *both[number])} - noisy - by_order):
            one, two = _at(alone[number], name), _at(both[number], name)
            if one != two and not any(each.field == name for each in found):
                found.append(Difference(number, name, ", ".join(map(str, one)), ", ".join(map(str, two))))
    return found


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, each in cast("dict[str, Any]", value).items():
            yield from _leaves(each, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for index, each in enumerate(cast("list[Any]", value)):
            yield from _leaves(each, f"{path}[{index}]")
    elif isinstance(value, str) and value[:1] in ("{", "["):
        try:
            inner = json.loads(value)
        except ValueError:
            inner = None
        if inner is None:
            yield path, _ADDRESS.sub("0x", value)
        else:
            yield from _leaves(inner, f"{path}:")
    elif not _is_time(path, value):
        yield path, _ADDRESS.sub("0x", value) if isinstance(value, str) else value


def _is_time(path: str, value: Any) -> bool:
    if isinstance(value, str):
        return _POINT.fullmatch(value) is not None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    now = time.time()
    is_now = any(abs(value / unit - now) < _DAY for unit in (1, 1e3, 1e6, 1e9))
    return is_now or _TIMES.search(path.rpartition(".")[2]) is not None


def _general(name: str) -> str:
    """The name without indices: what holds for one item of a list holds for all."""
    return re.sub(r"\[\d+\]", "[*]", name)


def _at(fields: Fields, name: str) -> list[Any]:
    return [value for each, value in fields.items() if _general(each) == name] or [_MISSING]


def _differing(one: Mapping[int, Fields], two: Mapping[int, Fields]) -> set[str]:
    found: set[str] = set()
    for number in one.keys() & two.keys():
        names = {_general(each) for each in (*one[number], *two[number])}
        found |= {name for name in names if _at(one[number], name) != _at(two[number], name)}
    return found


def _values(answers: Mapping[int, Fields], name: str) -> Counter[str]:
    return Counter(str(value) for fields in answers.values() for value in _at(fields, name))


def _shown(values: Counter[str]) -> str:
    shown = sorted(values.elements())
    return ", ".join(shown[:6]) + (", ..." if len(shown) > 6 else "")
