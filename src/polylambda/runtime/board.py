"""What every slot is at, in memory that the supervisor shares with its workers.

A worker that is killed says nothing any more; the board says it for it: which invocation each of its slots held, and
whether its connection carries a poll that the platform has not answered.

    FREE        no poll is out: the worker is about to connect, or has not begun
    POLLING     a poll is out; if an event is in the inbox, it has come in, and its handler has not begun
    BUSY        an event has come in
    ANSWERING   its answer and the next poll are going out in one write, or have gone out
    REACHING    the next poll is going out on the slot's other connection, or has gone out
    REACHED     it has gone out; the answer is going out, or has gone out

What a slot waits for is received into its inbox, which is part of the board: so there is no moment at which an event has
left the connection and is known to nobody but a worker that may be killed.
"""

from __future__ import annotations

import mmap

from polylambda.rapi import headers as names
from polylambda.rapi.h1 import HEAD_END

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

FREE: Final = 0
POLLING: Final = 1
BUSY: Final = 2
ANSWERING: Final = 3
REACHING: Final = 4
REACHED: Final = 5

# Bytes a slot: state (1), whether it has held an invocation (1), whether more has come (1), on which of its connections the
# poll is out (1), how much is in the inbox (2), the inbox.
_ROW: Final = 4096
MORE_AT: Final = 2
POLLED_AT: Final = 3
COUNT_AT: Final = 4
INBOX_AT: Final = 6
INBOX_SIZE: Final = _ROW - INBOX_AT  # bytes; the head of an event, and the reply before it, nearly always fit
NOTHING: Final = bytes(INBOX_SIZE)
UNCOUNTED: Final = bytes(2)
HOLDS: Final = bytes((BUSY, 1))  # the beginning of the row of a slot that is BUSY

_REQUEST_ID: Final = f"\r\n{names.REQUEST_ID}:".encode()
_INVOCATION_ID: Final = f"\r\n{names.INVOCATION_ID}:".encode()
_DEADLINE: Final = f"\r\n{names.DEADLINE_MS}:".encode()
_MAX_ID: Final = 1000  # bytes; the platform's are UUIDs of 36


class Held:
    """What a slot holds: the ids, and the deadline in seconds since the epoch (0: unknown)."""

    __slots__ = ("deadline", "invocation_id", "request_id")

    def __init__(self, request_id: str, invocation_id: str, deadline: float) -> None:
        self.request_id = request_id
        self.invocation_id = invocation_id
        self.deadline = deadline


class Board:
    """A row for each slot. Make it before the workers are forked."""

    __slots__ = ("_memory",)

    def __init__(self, slots: int) -> None:
        self._memory = memoryview(mmap.mmap(-1, slots * _ROW))

    def row(self, slot: int) -> memoryview:
        """Return a slot's memory: its state first, the inbox from INBOX_AT on."""
        return self._memory[slot * _ROW : (slot + 1) * _ROW]

    def state(self, slot: int) -> int:
        """Return what the slot is at."""
        return self._memory[slot * _ROW]

    def set_state(self, slot: int, state: int) -> None:
        """Note what the slot is at now."""
        self._memory[slot * _ROW] = state

    def inbox(self, slot: int) -> memoryview:
        """Return the part of the row that what comes in for the slot is received into, from its beginning."""
        return self.row(slot)[INBOX_AT:]

    def clear(self, slot: int) -> None:
        """Forget what is in the inbox."""
        self.row(slot)[COUNT_AT:] = UNCOUNTED + NOTHING

    def hold(self, slot: int, request_id: bytes, invocation_id: bytes, deadline_ms: bytes) -> None:
        """Note that the slot holds an invocation whose head is not, or not wholly, in the inbox: its headers' values."""
        values = zip((_REQUEST_ID, _INVOCATION_ID, _DEADLINE), (request_id, invocation_id, deadline_ms), strict=True)
        text = b"".join(name + value[:_MAX_ID] for name, value in values) + HEAD_END
        self.inbox(slot)[:] = text + NOTHING[len(text) :]
        self.row(slot)[:2] = HOLDS  # last, so that whoever reads it finds the ids

    def renew(self, slot: int, state: int) -> None:
        """Note what a slot is at that passes to another worker, and forget what it held."""
        self.clear(slot)
        self.row(slot)[:4] = bytes((state, 0, 0, 0))

    def pass_on(self, slot: int) -> bool:
        """Leave a slot that waits for an event, with what has come in for it, to another worker.

        False: something has come in that is not in the inbox; whoever received it had it.
        """
        row = self.row(slot)
        if row[MORE_AT] or not self._is_sure(slot):
            return False
        row[1] = row[POLLED_AT] = 0
        return True

    def polled(self, slot: int) -> int:
        """Return the number of the slot's connection on which the poll is out, if it is."""
        return self._memory[slot * _ROW + POLLED_AT]

    def received(self, slot: int) -> bytes:
        """Return what is in the inbox; what was received while its worker was killed, without the zeros at its end."""
        inbox = self.inbox(slot).tobytes()
        count = self._count(slot)
        return inbox[:count] if count else inbox.rstrip(b"\0")

    def _count(self, slot: int) -> int:
        """Return how much was received into the inbox, 0 where that was not noted."""
        return int.from_bytes(self.row(slot)[COUNT_AT:INBOX_AT], "little")

    def _is_sure(self, slot: int) -> bool:
        """Say whether `received` is right: only what is not JSON has zeros."""
        if self._count(slot):
            return True
        received = self.received(slot)
        return event_in(received) is None or names.JSON.encode() in received

    def was_used(self, slot: int) -> bool:
        """Say whether the slot has held an invocation since it was made, renewed or passed on."""
        return self._memory[slot * _ROW + 1] > 0

    def held(self, slot: int) -> Held | None:
        """Return what is in a slot's inbox; None when that is no event, or its id is not whole."""
        return event_in(self.inbox(slot).tobytes())


def event_in(received: bytes) -> Held | None:
    """Return the event that was received; None when it is none, or its id is not whole."""
    lowered = received.lower()
    request_id = _value(received, lowered, _REQUEST_ID)
    if not request_id:
        return None
    deadline = _value(received, lowered, _DEADLINE)
    known = deadline.isdigit() and len(deadline) < 19
    return Held(
        request_id.decode("latin-1"),
        _value(received, lowered, _INVOCATION_ID).decode("latin-1"),
        int(deadline) / 1000 if known else 0,
    )


def _value(head: bytes, lowered: bytes, name: bytes) -> bytes:
    """The value of a header, empty when there is none or its end has not come."""
    at = lowered.find(name)
    if at < 0:
        return b""
    at += len(name)
    return head[at : max(at, head.find(b"\r\n", at))].strip()
