"""Heads of events like one that was read before.

The platform sends the same head for every event, but for a few values. Where only those differ, they are cut out at the
places where they were the last time, and nothing else is parsed. Whatever is not exactly so is left to `h1`.
"""

from __future__ import annotations

from operator import itemgetter

from polylambda.rapi import headers as names
from polylambda.rapi.events import Invocation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_LENGTH: Final = "content-length"
_VARYING: Final = (names.REQUEST_ID, names.INVOCATION_ID, names.DEADLINE_MS, names.TRACE_ID, _LENGTH, "date")


class FamiliarHead:
    """The head of an event that was parsed, and where in it the values are that differ from event to event."""

    __slots__ = ("_date", "_example", "_fixed", "_fixed_of", "_varying_of")

    def __init__(self, head: bytes, example: Invocation) -> None:
        """Take a head (with the empty line at its end) of which `example` was made.

        Raises:
            ValueError: it has a value twice, or lacks its id or the length of its body.
        """
        self._date = ""  # the last one: it changes once a second
        self._example = example
        spans: dict[str, slice] = {}
        at = 0
        for line in head.split(b"\r\n"):
            name, _, value = line.decode("latin-1").partition(":")
            name = name.lower()
            if name in _VARYING:
                if name in spans:
                    raise ValueError(name)
                begin = at + len(line) - len(value.lstrip(" \t"))
                spans[name] = slice(begin, begin + len(value.strip(" \t")))
            at += len(line) + 2
        if _LENGTH not in spans or names.REQUEST_ID not in spans:
            raise ValueError(head)
        self._varying_of = itemgetter(*[spans.get(name, slice(0)) for name in _VARYING])
        ends = [0, *(span.stop for span in spans.values())]
        begins = [*(span.start for span in spans.values()), len(head)]
        self._fixed_of = itemgetter(*map(slice, ends, begins))
        self._fixed = self._fixed_of(head.decode("latin-1"))

    def read(self, head: str) -> tuple[Invocation, int] | None:
        """Return the event with this head, without its payload, and how long that is; None: parse it."""
        if self._fixed_of(head) != self._fixed:
            return None
        request, attempt, deadline, trace, length, date = self._varying_of(head)
        if date != self._date:
            if not date.isascii() or not date.isprintable():
                return None
            self._date = date
        ids = f"{request}{attempt}{deadline}{trace}{length}"
        # What a value must not have in it, is space around it, or needs to be decoded.
        if (
            not request
            or " " in ids
            or "\t" in ids
            or "\r" in ids
            or "\n" in ids
            or "\0" in ids
            or not ids.isascii()
            or not length.isdigit()
        ):
            return None
        return self._example.like(request, attempt, deadline, trace), int(length)


def remember(known: dict[int, FamiliarHead], head: bytes, headers: dict[str, str]) -> int:
    """Add the head of an event (with the empty line at its end), which was parsed, to those `known` by their length.

    Returns: where in the shortest of them that empty line begins.
    """
    if len(head) not in known:
        try:
            known[len(head)] = FamiliarHead(head, Invocation(b"", headers))
        except ValueError:
            pass  # a kind of head that is parsed every time
    return min(known, default=4) - 4
