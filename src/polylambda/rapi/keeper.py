"""Who else has to know what a slot's connections are at: see `runtime.keeper` for who that is."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket
    from typing import Protocol

    from polylambda.rapi.events import Invocation
else:
    Protocol = object


class Keeper(Protocol):
    """Hears of every step of one slot's connections, before or after it is taken, so that none is ever in doubt.

    A slot has one connection, number 0, or two, which take turns: 0 and 1. The one that it begins with is 0.
    """

    def adopt(self) -> tuple[int, bytes] | None:
        """Return a connection on which a poll is out, for the slot to begin with; None the second time.

        It is a descriptor, and what has been received on it and nobody has begun to handle.
        """

    def opened(self, fd: int, number: int = 0) -> None:
        """There is a new connection; nothing was sent on it."""

    def closed(self, number: int = 0) -> None:
        """The connection is given up."""

    def receive(self, sock: _socket.socket, begun: bool) -> bytes:
        """Read from `sock` in such a way that an event is known as soon as it has left the socket. Raises OSError.

        `begun` says that what comes is the rest of something.
        """
        raise NotImplementedError

    def received(self, invocation: Invocation) -> None:
        """The slot holds an invocation."""

    def answering(self) -> None:
        """An answer and the next poll are about to be sent in one write."""

    def reaching(self, number: int) -> None:
        """A poll is about to be sent on the other connection, before the answer."""

    def reached(self) -> None:
        """It was sent; the answer is about to be."""

    def polling(self, number: int = 0) -> None:
        """A poll is out, and the slot holds nothing."""
