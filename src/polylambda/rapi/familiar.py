"""Heads of events like one that was read before.

The platform sends the same head for every event, but for a few values. Where only those differ, they are cut out at the
places where they were the last time, and nothing else is parsed. Whatever is not exactly so is left to `h1`.
"""

from __future__ import annotations

from polylambda.rapi import headers as names
from polylambda.rapi.events import Invocation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_LENGTH: Final = "content-length"
_VARYING: Final = (names.REQUEST_ID, names.INVOCATION_ID, names.DEADLINE_MS, names.TRACE_ID, _LENGTH, "date")


class FamiliarHead:
    """The head of an event that was parsed, and where in it the values are that differ from event to event."""

    __slots__ = ("_example", "_fixed", "_spans")

    def __init__(self, head: bytes, example: Invocation) -> None:
        """Take a head (with the empty line at its end) of which `example` was made.

        Raises:
            ValueError: it has a value twice, or lacks its id or the length of its body.
        """
        self._example = example
        spans: dict[str, tuple[int, int]] = {}
        at = 0
        for line in head.split(b"\r\n"):
            name, _, value = line.decode("latin-1").partition(":")
            name = name.lower()
            if name in _VARYING:
                if name in spans:
                    raise ValueError(name)
                begin = at + len(line) - len(value.lstrip(" \t"))
                spans[name] = begin, begin + len(value.strip(" \t"))
            at += len(line) + 2
        if _LENGTH not in spans or names.REQUEST_ID not in spans:
            raise ValueError(head)
        self._spans = [spans.get(name, (0, 0)) for name in _VARYING]
        ends = [0, *(end for _, end in sorted(spans.values()))]
        begins = [*(begin for begin, _ in sorted(spans.values())), len(head)]
        text = head.decode("latin-1")
        self._fixed = [(end, text[end:begin]) for end, begin in zip(ends, begins, strict=True)]

    def read(self, head: str) -> tuple[Invocation, int] | None:
        """Return the event with this head, without its payload, and how long that is; None: parse it."""
        for at, text in self._fixed:
            if not head.startswith(text, at):
                return None
        request, attempt, deadline, trace, length, date = [head[begin:end] for begin, end in self._spans]
        ids = f"{request}{attempt}{deadline}{trace}{length}"
        # What a value must not have in it is not printable, or is space around it.
        if not request or " " in ids or not f"{ids}{date}".isprintable() or not ids.isascii() or not length.isdigit():
            return None
        return self._example.like(request, attempt, deadline, trace), int(length)


def remember(known: dict[int, FamiliarHead], head: bytes, headers: dict[str, str]) -> None:
    """Add the head of an event (with the empty line at its end), which was parsed, to those `known` by their length."""
    if len(head) not in known:
        try:
            known[len(head)] = FamiliarHead(head, Invocation(b"", headers))
        except ValueError:
            pass  # a kind of head that is parsed every time
