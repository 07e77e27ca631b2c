"""What every slot is at, in memory that the supervisor shares with its workers.

A worker that is killed says nothing any more; the board says it for it: which invocation each of its slots held, and
whether its connection carries a poll that the platform has not answered.
"""

from __future__ import annotations

import mmap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from polylambda.rapi.wire import Invocation

FREE: Final = 0  # no poll is out: the worker is about to connect, or has gone
POLLING: Final = 1  # a poll is out and nothing has come back
BUSY: Final = 2  # an invocation is being handled

_ID_LENGTH = 120  # bytes of each id; the platform's are UUIDs of 36
_ENTRY = 256  # bytes a slot: state, lengths of the ids, deadline, the ids
_DEADLINE_AT = 3
_IDS_AT = 11


class Board:
    """A row for each slot. Make it before the workers are forked."""

    __slots__ = ("_memory", "slots")

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self._memory = mmap.mmap(-1, slots * _ENTRY)

    def polling(self, slot: int) -> None:
        """Note that the slot's poll is out."""
        self._memory[slot * _ENTRY] = POLLING

    def busy(self, slot: int, invocation: Invocation) -> None:
        """Note that the slot holds `invocation`."""
        request_id = invocation.request_id.encode()[:_ID_LENGTH]
        invocation_id = invocation.invocation_id.encode()[:_ID_LENGTH]
        try:
            deadline = int(invocation.deadline_ms)
        except ValueError:
            deadline = 0
        at = slot * _ENTRY
        row = b"%c%c%b%b%b" % (
            len(request_id),
            len(invocation_id),
            deadline.to_bytes(8, "little"),
            request_id,
            invocation_id,
        )
        memory = self._memory
        memory[at + 1 : at + 1 + len(row)] = row
        memory[at] = BUSY  # last, so that whoever reads it finds the ids

    def free(self, slot: int) -> None:
        """Note that the slot has no poll out and holds nothing."""
        self._memory[slot * _ENTRY] = FREE

    def state(self, slot: int) -> int:
        """Return what the slot is at."""
        return self._memory[slot * _ENTRY]

    def held(self, slot: int) -> tuple[str, str, float]:
        """Return request id, invocation id and deadline (seconds since the epoch) of what a busy slot holds."""
        at = slot * _ENTRY
        memory = self._memory
        first, second = memory[at + 1], memory[at + 2]
        deadline = int.from_bytes(memory[at + _DEADLINE_AT : at + _IDS_AT], "little") / 1000
        ids = memory[at + _IDS_AT : at + _IDS_AT + first + second]
        return ids[:first].decode(), ids[first:].decode(), deadline
