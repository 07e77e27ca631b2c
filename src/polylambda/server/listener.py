"""A TCP port, and the connections that come in through it."""

from __future__ import annotations

import asyncio
import os
import socket

from polylambda.server.connection import Connection, Serve
from polylambda.server.errors import CannotStart

BACKLOG = 1024
PAUSE = 0.1  # seconds without accepting when the system has no descriptors left


class Listener:
    """Accept connections, and have their requests served, until closed.

    Not asyncio's server: that forgets a connection which it is accepting when it is closed, and leaves it open.
    """

    def __init__(self, serve: Serve) -> None:
        """Give every request to `serve`."""
        self._serve = serve
        self._socket: socket.socket | None = None
        self._connections: set[Connection] = set()
        self._accepting: set[asyncio.Task[object]] = set()
        self._pause: asyncio.TimerHandle | None = None

    def open(self, host: str, port: int) -> int:
        """Bind and listen; return the port, which is a free one if `port` is 0.

        Raises:
            CannotStart: the address is taken, or is none of this machine's, or we listen already.
        """
        if self._socket is not None:
            raise CannotStart(f"the Runtime API listens already, on {host}:{port}; stop it first")
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            listening = socket.create_server((host, port), family=family, backlog=BACKLOG)
        except OSError as error:
            reason = str(error) if isinstance(error, socket.gaierror) else os.strerror(error.errno or 0)
            message = f"the Runtime API cannot listen on {host}:{port} ({reason}); choose another host or port"
            raise CannotStart(message) from error
        listening.setblocking(False)
        # The reply to an answer and the next event are two small writes, and the second must not wait until the first is
        # acknowledged. Connections inherit this.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = listening
        self._listen(listening)
        return listening.getsockname()[1]

    async def close(self) -> None:
        """Stop listening, close every connection, and wait until they are gone."""
        listening, self._socket = self._socket, None
        if listening is None:
            return
        if self._pause is not None:
            self._pause.cancel()
        asyncio.get_running_loop().remove_reader(listening)
        listening.close()
        for connection in tuple(self._connections):
            connection.close()
        while waiting := {*self._accepting, *(connection.closed for connection in self._connections)}:
            await asyncio.wait(waiting)

    # For connections

    def add(self, connection: Connection) -> None:
        """Count a connection that was made. It is closed at once if the listener was meanwhile."""
        self._connections.add(connection)
        if self._socket is None:
            connection.close()

    def discard(self, connection: Connection) -> None:
        """Forget a connection that is gone."""
        self._connections.discard(connection)

    # Inside

    def _listen(self, listening: socket.socket) -> None:
        self._pause = None
        asyncio.get_running_loop().add_reader(listening, self._accept, listening)

    def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        try:
            accepted, _ = listening.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return  # the client has gone again
        except OSError:
            loop.remove_reader(listening)
            self._pause = loop.call_later(PAUSE, self._listen, listening)
            return
        accepted.setblocking(False)
        task = loop.create_task(loop.connect_accepted_socket(lambda: Connection(self._serve, self), accepted))
        self._accepting.add(task)
        task.add_done_callback(self._accepting.discard)
