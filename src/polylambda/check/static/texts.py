"""Texts that are put together, paths above all: whether they are the same for every invocation."""

from __future__ import annotations

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
