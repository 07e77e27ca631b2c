"""A worker's side of supervision: what each of its slots is at, and a copy of each of their connections.

The supervisor holds a copy of every connection. When a worker is killed, a poll that the platform has not answered is
neither lost nor answered by nobody: the connection goes to the worker's successor, poll and all. And since what comes in
is received into the board, an event that a worker was killed with is always known; while its handler has not begun, it goes
to the successor too. For a process that is being killed while it waits still receives what comes at that moment.
"""

from __future__ import annotations

import socket

from polylambda.rapi.wire import READ_SIZE
from polylambda.runtime.board import (
    ANSWERING,
    BUSY,
    COUNT_AT,
    FREE,
    HOLDS,
    INBOX_AT,
    INBOX_SIZE,
    MORE_AT,
    NOTHING,
    POLLED_AT,
    POLLING,
    REACHED,
    REACHING,
    UNCOUNTED,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket
    from typing import Final

    from polylambda.rapi.events import Invocation
    from polylambda.runtime.board import Board

SLOT_BYTES: Final = 4


def line_of(slot: int, number: int) -> int:
    """Return what the supervisor knows a slot's connection by."""
    return 2 * slot + number


class SlotKeeper:
    """Keeps one slot's row of the board: see `rapi.keeper.Keeper`.

    It writes the row itself, since it does so several times an invocation.
    """

    __slots__ = ("_adopted", "_board", "_channel", "_inbox", "_more", "_row", "_slot", "_used", "_whole")

    def __init__(self, board: Board, channel: socket.socket, slot: int, adopted: int | None) -> None:
        """Keep the row of `slot`.

        Args:
            board: shared with the supervisor.
            channel: takes copies of connections to the supervisor.
            slot: number of the slot.
            adopted: descriptor of a connection on which a predecessor's poll is out.
        """
        self._board = board
        self._channel = channel
        self._slot = slot
        self._adopted = adopted
        self._row = board.row(slot)
        self._inbox = board.inbox(slot)
        self._used = 0  # bytes at the beginning of the inbox that are not clear
        self._whole = False  # what has come in since began in the inbox, and was read at once
        self._more = False  # some of it was not received into the inbox

    def adopt(self) -> tuple[int, bytes] | None:
        """Return the descriptor of the predecessor's connection, once, and what the predecessor received last."""
        adopted, self._adopted = self._adopted, None
        if adopted is None:
            return None
        self._used = INBOX_SIZE
        return adopted, self._board.received(self._slot)

    def opened(self, fd: int, number: int = 0) -> None:
        """Give the supervisor a copy of a new connection, on which nothing is out."""
        if self._row[0] == ANSWERING:
            self._row[0] = BUSY
        elif self._row[0] == POLLING and self._row[POLLED_AT] == number:
            self._row[0] = FREE
        try:
            socket.send_fds(self._channel, [line_of(self._slot, number).to_bytes(SLOT_BYTES, "little")], [fd])
        except OSError:
            pass  # the supervisor is gone, and the environment with it

    def closed(self, number: int = 0) -> None:
        """Note that no poll is out on it any more."""
        if self._row[POLLED_AT] == number:
            if self._row[0] == POLLING:
                self._row[0] = FREE
            elif self._row[0] == REACHING:
                self._row[0] = BUSY

    def receive(self, sock: _socket.socket, begun: bool) -> bytes:
        """Read from `sock`: into the inbox, unless an event is there or has `begun` to come in. Raises OSError."""
        if begun or self._row[0] >= BUSY:
            self._whole = False
            if not self._more:
                self._more = True
                self._row[MORE_AT] = 1
            return sock.recv(READ_SIZE)
        inbox = self._inbox
        if self._used:
            inbox[: self._used] = NOTHING[: self._used]
            self._row[COUNT_AT:INBOX_AT] = UNCOUNTED
        self._whole = True
        size = self._used = sock.recv_into(inbox)
        self._row[COUNT_AT:INBOX_AT] = size.to_bytes(2, "little")
        return inbox[:size].tobytes()

    def received(self, invocation: Invocation) -> None:
        """Note the event, which has been received to its end."""
        if self._whole:
            self._row[:2] = HOLDS
        else:
            ids = invocation.request_id, invocation.invocation_id, invocation.deadline_ms
            self._board.hold(self._slot, *[each.encode("latin-1", "replace") for each in ids])
            self._used = INBOX_SIZE

    def answering(self) -> None:
        """An answer and the next poll are about to go out in one write."""
        if self._row[0] == BUSY:
            self._row[0] = ANSWERING

    def reaching(self, number: int) -> None:
        """A poll is about to go out on the other connection."""
        self._row[POLLED_AT] = number
        self._row[0] = REACHING

    def reached(self) -> None:
        """It has gone out, and the answer is about to."""
        self._row[0] = REACHED

    def polling(self, number: int = 0) -> None:
        """A poll is out, and the slot holds nothing."""
        self._row[POLLED_AT] = number
        self._row[0] = POLLING
        if self._more:
            self._more = False
            self._row[MORE_AT] = 0
        if self._used:
            self._inbox[: self._used] = NOTHING[: self._used]
            self._row[COUNT_AT:INBOX_AT] = UNCOUNTED
            self._used = 0
