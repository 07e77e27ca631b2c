"""A worker's side of supervision: its slots' connections are known to the supervisor, and so is what each slot is at.

The supervisor holds a copy of every connection. When a worker is killed, a poll that the platform has not answered is
neither lost nor answered by nobody: the connection goes to the worker's successor, poll and all.
"""

from __future__ import annotations

import socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from polylambda.rapi.wire import Invocation
    from polylambda.runtime.board import Board

SLOT_BYTES = 4


class SlotKeeper:
    """Tells the supervisor about one slot: see `rapi.policy.Keeper`."""

    __slots__ = ("_adopted", "_board", "_channel", "_slot")

    def __init__(self, board: Board, channel: socket.socket, slot: int, adopted: int | None) -> None:
        """Keep `slot` on `board`; `adopted` is the descriptor of a connection whose poll is out."""
        self._board = board
        self._channel = channel
        self._slot = slot
        self._adopted = adopted

    def adopt(self) -> int | None:
        """Return the descriptor of the predecessor's connection, once."""
        adopted, self._adopted = self._adopted, None
        return adopted

    def opened(self, fd: int) -> None:
        """Give the supervisor a copy of a new connection."""
        self._board.free(self._slot)
        try:
            socket.send_fds(self._channel, [self._slot.to_bytes(SLOT_BYTES, "little")], [fd])
        except OSError:
            pass  # the supervisor is gone, and the environment with it

    def polling(self) -> None:
        """The slot's poll is out."""
        self._board.polling(self._slot)

    def busy(self, invocation: Invocation) -> None:
        """The slot holds `invocation`."""
        self._board.busy(self._slot, invocation)

    def free(self) -> None:
        """The slot has no poll out and holds nothing."""
        self._board.free(self._slot)
