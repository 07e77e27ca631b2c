"""What every slot is at, in memory that the supervisor shares with its workers.

A worker that is killed says nothing any more; the board says it for it: which invocation each of its slots held, and
whether its connection carries a poll that the platform has not answered.

    FREE        no poll is out: the worker is about to connect, or has not begun
    POLLING     a poll is out
    BUSY        an event has come in, or is about to be read
    ANSWERING   its answer and the next poll are going out in one write, or have gone out
"""

from __future__ import annotations

import mmap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

FREE: Final = 0
POLLING: Final = 1
BUSY: Final = 2
ANSWERING: Final = 3

_ENTRY = 256  # bytes a slot: state (1), lengths of the ids (1 each), deadline in milliseconds (8), the ids
_DEADLINE_AT = 3
_IDS_AT = 11
_ID_LENGTH = (_ENTRY - _IDS_AT) // 2  # bytes of each id; the platform's are UUIDs of 36


class Held:
    """What a busy slot holds: the ids, and the deadline in seconds since the epoch (0: unknown)."""

    __slots__ = ("deadline", "invocation_id", "request_id")

    def __init__(self, request_id: str, invocation_id: str, deadline: float) -> None:
        self.request_id = request_id
        self.invocation_id = invocation_id
        self.deadline = deadline


class Board:
    """A row for each slot. Make it before the workers are forked."""

    __slots__ = ("_memory",)

    def __init__(self, slots: int) -> None:
        self._memory = mmap.mmap(-1, slots * _ENTRY)

    def state(self, slot: int) -> int:
        """Return what the slot is at."""
        return self._memory[slot * _ENTRY]

    def set_state(self, slot: int, state: int) -> None:
        """Note what the slot is at now; for BUSY see `hold`."""
        self._memory[slot * _ENTRY] = state

    def hold(self, slot: int, request_id: bytes, invocation_id: bytes, deadline_ms: bytes) -> None:
        """Note that the slot holds an invocation: the values are those of its headers."""
        request_id = request_id[:_ID_LENGTH]
        invocation_id = invocation_id[:_ID_LENGTH]
        deadline = int(deadline_ms) if deadline_ms.isdigit() and len(deadline_ms) < 19 else 0
        row = b"%c%c%b%b%b" % (
            len(request_id),
            len(invocation_id),
            deadline.to_bytes(8, "little"),
            request_id,
            invocation_id,
        )
        at = slot * _ENTRY
        memory = self._memory
        memory[at + 1 : at + 1 + len(row)] = row
        memory[at] = BUSY  # last, so that whoever reads it finds the ids

    def renew(self, slot: int, state: int) -> None:
        """Note what a slot is at that passes to another worker, and forget what it held."""
        at = slot * _ENTRY
        self._memory[at] = state
        self._memory[at + 1] = 0

    def was_used(self, slot: int) -> bool:
        """Say whether the slot has held an invocation since it was made or renewed."""
        return self._memory[slot * _ENTRY + 1] > 0

    def held(self, slot: int) -> Held:
        """Return what a slot that is BUSY or ANSWERING holds."""
        at = slot * _ENTRY
        row = self._memory[at : at + _ENTRY]
        middle = _IDS_AT + row[1]
        return Held(
            row[_IDS_AT:middle].decode("latin-1"),
            row[middle : middle + row[2]].decode("latin-1"),
            int.from_bytes(row[_DEADLINE_AT:_IDS_AT], "little") / 1000,
        )
