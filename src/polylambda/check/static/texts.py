"""Texts that are put together, paths above all: whether they are the same for every invocation."""

from __future__ import annotations

import re

from polylambda.check.static.values import (
    REQUEST,
    UNKNOWN,
    Const,
    Fixed,
    Instance,
    Tag,
    Value,
    is_request,
)

_PLACE = re.compile(r"(?<!%)%[-#0 +]*\d*(?:\.\d+)?[sdirfx]")
PATHS = frozenset({"pathlib.Path", "pathlib.PurePath", "pathlib.PosixPath"})


def text_of(parts: list[Value]) -> Value:
    """Return the text that is put together of parts: fixed when all of them are."""
    shown: list[str] = []
    by_process = False
    for part in parts:
        if is_request(part):
            return REQUEST
        for atom in part[:1] or (Tag.UNKNOWN,):
            match atom:
                case Const(value=value):
                    shown.append(str(value))
                case Fixed():
                    shown.append(atom.text)
                    by_process |= atom.by_process
                case Instance() if atom.type_name in PATHS:
                    inner = text_of([atom.arguments]) if atom.arguments else UNKNOWN
                    if not isinstance(inner[0], Fixed | Const):
                        return UNKNOWN
                    shown.append(inner[0].text if isinstance(inner[0], Fixed) else str(inner[0].value))
                case _:
                    return UNKNOWN
        if any(not isinstance(atom, Const | Fixed | Instance) for atom in part):
            return UNKNOWN
    return (Fixed("".join(shown)[:200], by_process),)


def formatted(template: Value, given: Value) -> Value:
    """Return what `template % given` is: fixed when all of it is."""
    if len(template) != 1 or not isinstance(template[0], Const | Fixed):
        return text_of([template, given])
    text = template[0].text if isinstance(template[0], Fixed) else str(template[0].value)
    parts = [part.replace("%%", "%") for part in _PLACE.split(text)]
    values: list[Value] = [given]
    if len(given) == 1 and isinstance(given[0], Instance) and given[0].type_name == "builtins.tuple":
        held = given[0].attributes
        values = [held.get(str(position), UNKNOWN) for position in range(len(parts) - 1)]
    if len(values) != len(parts) - 1:
        return text_of([template, given])
    whole: list[Value] = [(Const(parts[0]),)]
    for value, part in zip(values, parts[1:], strict=True):
        whole += [value, (Const(part),)]
    made = text_of(whole)
    if isinstance(template[0], Fixed) and template[0].by_process:
        return tuple(Fixed(atom.text, by_process=True) if isinstance(atom, Fixed) else atom for atom in made)
    return made
