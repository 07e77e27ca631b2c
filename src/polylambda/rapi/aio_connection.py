"""A connection to the Runtime API on the running event loop: bytes between a socket and its `Wire`.

Raw sockets and readiness callbacks, because transports and stream objects cost more than the whole rest of an invocation.
"""

from __future__ import annotations

import asyncio
import os
import socket

from polylambda.errors import RuntimeApiError
from polylambda.rapi import wire
from polylambda.rapi.address import CONNECT_TIMEOUT
from polylambda.rapi.events import Invocation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from polylambda.rapi.address import Address
    from polylambda.rapi.events import Reply
    from polylambda.rapi.keeper import Keeper
    from polylambda.rapi.spares import Spares

_HIGH_WATER = 64 * 1024  # bytes waiting to be sent from which a stream's writer has to wait


class AsyncConnection:
    """A connection that can be opened again when it is used up.

    What is written while there is none goes out as soon as there is one. `poll_ahead` sends a poll on a spare one while this
    one still has to answer, and `go_over` goes on with that.

    Attributes:
        wire: its protocol state; as long as there is no connection, that of the next one.
    """

    __slots__ = (
        "_address",
        "_ahead",
        "_ended",
        "_keeper",
        "_loop",
        "_out",
        "_out_size",
        "_received",
        "_sock",
        "_writers",
        "_wrote",
        "wire",
    )

    def __init__(
        self,
        address: Address,
        received: Callable[[Invocation | Reply], None],
        ended: Callable[[RuntimeApiError | None], None],
        keeper: Keeper | None = None,
    ) -> None:
        """Take whom to tell what.

        Args:
            address: the Runtime API's.
            received: is called with every event; a `RuntimeApiError` that it raises ends the connection.
            ended: is called when the connection has ended or could not be made, with the error if there was one.
            keeper: hears of every step.
        """
        self._address = address
        self._received = received
        self._ended = ended
        self._keeper = keeper
        self._loop = asyncio.get_running_loop()
        self._sock: socket.socket | None = None
        self._ahead: tuple[socket.socket, wire.Wire] | None = None  # on which the next poll is out already
        self._out: list[memoryview] = []  # not empty: the socket's writer is registered
        self._out_size = 0
        self._writers: list[asyncio.Future[None]] = []  # they wait for room
        self._wrote = False  # since the last read
        self.wire = wire.Wire(address.text)

    @property
    def is_wanted(self) -> bool:
        """Something was written and there is no connection."""
        return self._sock is None and self.is_behind

    @property
    def is_behind(self) -> bool:
        """Something was written and not sent."""
        return bool(self._out)

    def adopt(self) -> None:
        """Go on with a predecessor's connection, poll and all, if there is one."""
        if self._keeper is not None and (adopted := self._keeper.adopt()) is not None:
            fd, data = adopted
            self._sock = socket.socket(fileno=fd)
            self._sock.setblocking(False)
            self.wire.adopt(data)
            self._loop.add_reader(fd, self.read)
            self._digest()

    async def open(self) -> None:
        """Connect, and send what was written before.

        Raises:
            ConnectionLost: nothing answers.
        """
        failure: OSError | None = None
        numeric = self._address.resolve(numeric=True)
        # Looking up a name may block.
        for family, address in numeric or await self._loop.run_in_executor(None, self._address.resolve):
            sock = socket.socket(family, socket.SOCK_STREAM)
            try:
                sock.setblocking(False)
                async with asyncio.timeout(CONNECT_TIMEOUT):
                    await self._connect(sock, address)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except OSError as error:  # TimeoutError is one
                sock.close()
                failure = error
            except BaseException:
                sock.close()
                raise
            else:
                self._sock = sock
                if self._keeper is not None:
                    self._keeper.opened(sock.fileno())
                self._loop.add_reader(sock.fileno(), self.read)
                if self._out:
                    self._loop.add_writer(sock.fileno(), self._write_rest)
                return
        raise self._address.unreachable(failure) from failure

    async def _connect(self, sock: socket.socket, address: tuple[str | int, ...]) -> None:
        """Connect to an address that was resolved; raises OSError.

        The loop's `sock_connect` resolves it again, for which uvloop loads a codec: a good part of a cold start.
        """
        try:
            sock.connect(address)
        except BlockingIOError:
            connected = self._loop.create_future()
            self._loop.add_writer(sock.fileno(), _finish, connected)
            try:
                await connected
            finally:
                self._loop.remove_writer(sock.fileno())
            error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if error:
                raise OSError(error, os.strerror(error)) from None

    def close(self) -> None:
        """Close it, if it is open; what was not sent is forgotten."""
        sock, self._sock = self._sock, None
        if sock is not None:
            self._loop.remove_reader(sock.fileno())
            if self._out:
                self._loop.remove_writer(sock.fileno())
            if self._keeper is not None:  # which has a copy of it
                self._keeper.closed()
                try:
                    sock.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass  # the other side was quicker
            sock.close()
        self._out.clear()
        self._out_size = 0
        self._let_write()
        self.wire = wire.Wire(self._address.text)

    @property
    def is_ahead(self) -> bool:
        """A poll is out on another connection."""
        return self._ahead is not None

    def poll_ahead(self, spares: Spares) -> bool:
        """Send a poll on a spare connection; False: there is none, or none here to answer on."""
        if self._sock is None or self._out or (spare := spares.take()) is None:
            return False
        ahead = wire.Wire(self._address.text)
        request = ahead.next()
        try:
            gone = spare.send(request) == len(request)
        except OSError:
            gone = False
        if not gone:
            spare.close()
            spares.give(None)
            return False
        self._ahead = spare, ahead
        return True

    def go_over(self, spares: Spares) -> None:
        """Go on with the connection on which a poll is out; this one, if it can be used again, is a spare now."""
        assert self._ahead is not None
        (sock, ahead), self._ahead = self._ahead, None
        left = self._sock
        if left is not None and self.wire.state is wire.IDLE and not self._out:
            self._loop.remove_reader(left.fileno())
            spares.give(left)
        else:
            self.close()
            spares.give(None)
        self._sock, self.wire = sock, ahead
        self._loop.add_reader(sock.fileno(), self.read)

    def close_ahead(self, spares: Spares) -> None:
        """Give up the poll that is out on another connection, if one is."""
        if self._ahead is not None:
            self._ahead[0].close()
            self._ahead = None
            spares.give(None)

    def write(self, data: bytes) -> bool:
        """Send `data`, or keep it until there is room for it; False: until there is a connection."""
        sock = self._sock
        keeper = self._keeper
        sent = 0
        self._wrote = True
        if sock is not None and not self._out:
            if keeper is not None and self.wire.state is wire.AHEAD:
                keeper.answering()
            try:
                sent = sock.send(data)
            except BlockingIOError:
                pass
            except OSError:
                self._loop.call_soon(self.read)  # what the platform said before it stopped listening explains why
            if sent == len(data):
                if keeper is not None:
                    self._keep(keeper)
                return True
            self._loop.add_writer(sock.fileno(), self._write_rest)
        self._out.append(memoryview(data)[sent:])
        self._out_size += len(data) - sent
        return sock is not None

    def room(self) -> asyncio.Future[None] | None:
        """Return what tells when there is room for more, None when there is."""
        if self._out_size <= _HIGH_WATER:
            return None
        writer = self._loop.create_future()
        self._writers.append(writer)
        return writer

    def read(self) -> None:
        """Take what has come in.

        When more is due and nothing was written meanwhile, look again at once: an event is often close behind a reply; and
        uvloop tells of a reset once, even if there were bytes before it. A write finds out by itself.
        """
        again = True
        while again:
            sock = self._sock
            current = self.wire
            if sock is None:
                return
            self._wrote = False
            try:
                if self._keeper is None:
                    data = sock.recv(wire.READ_SIZE)
                else:
                    data = self._keeper.receive(sock, current.receiving)
            except BlockingIOError:
                return
            except OSError as error:
                self._end(self._address.broken(error))
                return
            current.receive(data)
            again = self._digest() and not self._wrote and current.state is not wire.IDLE

    def _digest(self) -> bool:
        """Hand out what has come in; False when the connection has ended with it."""
        current = self.wire
        try:
            while (event := current.next_event()) is not None:
                if self._out:
                    current.close()  # it replied to a request that was not sent to its end: nothing can follow
                if self._keeper is not None and isinstance(event, Invocation):
                    self._keeper.received(event)
                self._received(event)
                if self.wire is not current:
                    return False
        except RuntimeApiError as error:
            self._end(error)
            return False
        if current.state is wire.CLOSED:
            self._end(None)
            return False
        return True

    def _end(self, error: RuntimeApiError | None) -> None:
        self.close()
        self._ended(error)

    def _write_rest(self) -> None:
        sock = self._sock
        assert sock is not None
        out = self._out
        gone = 0
        try:
            while gone < len(out):
                sent = sock.send(out[gone])
                self._out_size -= sent
                out[gone] = out[gone][sent:]
                if not out[gone]:
                    gone += 1
        except BlockingIOError:
            pass
        except OSError:
            self._loop.remove_writer(sock.fileno())
            self._loop.call_soon(self.read)  # as in `write`
        del out[:gone]
        if not out:
            self._loop.remove_writer(sock.fileno())
            if self._keeper is not None:
                self._keep(self._keeper)
        if self._out_size <= _HIGH_WATER:
            self._let_write()

    def _keep(self, keeper: Keeper) -> None:
        """Tell that what was written has gone out."""
        if self.wire.state is wire.AHEAD or self.wire.state is wire.POLLING:
            keeper.polling()

    def _let_write(self) -> None:
        writers, self._writers = self._writers, []
        for writer in writers:
            if not writer.done():
                writer.set_result(None)


def _finish(future: asyncio.Future[None]) -> None:
    if not future.done():  # its waiter has not run yet
        future.set_result(None)
