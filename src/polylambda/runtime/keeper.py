"""A worker's side of supervision: what each of its slots is at, and a copy of each of their connections.

The supervisor holds a copy of every connection. When a worker is killed, a poll that the platform has not answered is
neither lost nor answered by nobody: the connection goes to the worker's successor, poll and all. And since what comes in
is noted before it is read, an event that a worker was killed with is always known.
"""

from __future__ import annotations

import socket

from polylambda.rapi import headers as names
from polylambda.runtime.board import ANSWERING, BUSY, FREE, POLLING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from polylambda.rapi.events import Invocation
    from polylambda.runtime.board import Board

SLOT_BYTES: Final = 4

_REQUEST_ID = f"\r\n{names.REQUEST_ID}:".encode()
_INVOCATION_ID = f"\r\n{names.INVOCATION_ID}:".encode()
_DEADLINE = f"\r\n{names.DEADLINE_MS}:".encode()


class SlotKeeper:
    """Keeps one slot's row of the board: see `rapi.keeper.Keeper`."""

    __slots__ = ("_adopted", "_board", "_channel", "_slot")

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

    def adopt(self) -> int | None:
        """Return the descriptor of the predecessor's connection, once."""
        adopted, self._adopted = self._adopted, None
        return adopted

    def opened(self, fd: int) -> None:
        """Give the supervisor a copy of a new connection, on which nothing is out."""
        state = self._board.state(self._slot)
        self._board.set_state(self._slot, BUSY if state in (BUSY, ANSWERING) else FREE)
        try:
            socket.send_fds(self._channel, [self._slot.to_bytes(SLOT_BYTES, "little")], [fd])
        except OSError:
            pass  # the supervisor is gone, and the environment with it

    def closed(self) -> None:
        """Note that no poll is out any more."""
        if self._board.state(self._slot) == POLLING:
            self._board.set_state(self._slot, FREE)

    def arriving(self, head: bytes) -> None:
        """Note the event whose head this is, if it is one."""
        lowered = head.lower()
        request_id = _value(head, lowered, _REQUEST_ID)
        if request_id:
            invocation_id, deadline = _value(head, lowered, _INVOCATION_ID), _value(head, lowered, _DEADLINE)
            self._board.hold(self._slot, request_id, invocation_id, deadline)

    def received(self, invocation: Invocation) -> None:
        """Note the event, unless its head came in one piece and was noted before."""
        if self._board.state(self._slot) != BUSY:
            ids = invocation.request_id, invocation.invocation_id, invocation.deadline_ms
            self._board.hold(self._slot, *(each.encode("latin-1", "replace") for each in ids))

    def answering(self) -> None:
        """An answer and the next poll are about to go out in one write."""
        if self._board.state(self._slot) == BUSY:
            self._board.set_state(self._slot, ANSWERING)

    def polling(self) -> None:
        """A poll is out, and the slot holds nothing."""
        self._board.set_state(self._slot, POLLING)


def _value(head: bytes, lowered: bytes, name: bytes) -> bytes:
    """The value of a header, empty when there is none or its end has not come."""
    at = lowered.find(name)
    if at < 0:
        return b""
    at += len(name)
    return head[at : max(at, head.find(b"\r\n", at))].strip()
