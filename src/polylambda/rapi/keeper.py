"""Who else has to know what a slot's connection is at: see `runtime.keeper` for who that is."""

from __future__ import annotations

import _socket

from polylambda.rapi.wire import READ_SIZE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final, Protocol

    from polylambda.rapi.events import Invocation
else:
    Protocol = object

PEEK_SIZE: Final = 4096  # bytes; the head of an event, and the reply before it, nearly always fit


class Keeper(Protocol):
    """Hears of every step of one slot's connections, before or after it is taken, so that none is ever in doubt."""

    def adopt(self) -> int | None:
        """Return the descriptor of a connection on which a poll is out, for the slot to begin with; None the second time."""

    def opened(self, fd: int) -> None:
        """There is a new connection; nothing was sent on it."""

    def closed(self) -> None:
        """The connection is given up."""

    def arriving(self, head: bytes) -> None:
        """These are the first bytes of what can be read; they have not been read."""

    def received(self, invocation: Invocation) -> None:
        """The slot holds an invocation."""

    def answering(self) -> None:
        """An answer and the next poll are about to be sent in one write."""

    def polling(self) -> None:
        """A poll is out, and the slot holds nothing."""


def receive_kept(sock: _socket.socket, keeper: Keeper) -> bytes:
    """Read from `sock` what `keeper` has seen, and nothing that came in meanwhile."""
    head = sock.recv(PEEK_SIZE, _socket.MSG_PEEK)
    keeper.arriving(head)
    return sock.recv(len(head) if 0 < len(head) < PEEK_SIZE else READ_SIZE)
