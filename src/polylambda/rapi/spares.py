"""Connections to the Runtime API that wait for their turn, for all slots of an event loop."""

from __future__ import annotations

import socket

from polylambda.errors import ConnectionLost

TYPE_CHECKING = False
if TYPE_CHECKING:
    from polylambda.rapi.address import Address

_MOST = 8  # connections; slots that find none send their answer and the next poll in one write


class Spares:
    """A few idle connections, on which slots send a poll before the answer that comes first: see `AsyncClient`."""

    def __init__(self, address: Address) -> None:
        """Take where to connect to; a connection is made when one is taken and there is none."""
        self._address = address
        self._idle: list[socket.socket] = []
        self._made = 0

    def take(self) -> socket.socket | None:
        """Return a connection on which nothing is under way, if one can be had at once."""
        if self._idle:
            return self._idle.pop()
        if self._made >= _MOST:
            return None
        try:
            made = self._address.connect_at_once()
        except ConnectionLost:
            return None
        self._made += 1
        made.setblocking(False)
        return socket.socket(fileno=made.detach())

    def give(self, spare: socket.socket | None) -> None:
        """Take a connection in exchange for one that was taken; None: it is used up."""
        if spare is None:
            self._made -= 1
        else:
            self._idle.append(spare)

    def close(self) -> None:
        """Close those that are idle."""
        while self._idle:
            self._idle.pop().close()
        self._made = 0
