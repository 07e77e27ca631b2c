"""A blocking connection to the Runtime API: bytes between a socket and its `Wire`."""

from __future__ import annotations

import _socket
import select

from polylambda.errors import ConnectionLost
from polylambda.rapi import wire
from polylambda.rapi.events import Invocation, Reply

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from polylambda.rapi.address import Address
    from polylambda.rapi.keeper import Keeper


def _never() -> bool:
    return False


class BlockingConnection:
    """A connection that can be opened again when it is used up.

    `poll_ahead` sends a poll on a second one while this one still has to answer, and `go_over` goes on with that; the two
    take turns.

    Attributes:
        wire: its protocol state; closed as long as there is no connection.
        early: the reply to a request that was not sent to its end, until `read` returns it.
        waiting: `read` may be ended by `shut`.
    """

    __slots__ = (
        "_address",
        "_ahead",
        "_keeper",
        "_number",
        "_other",
        "_shut",
        "_sock",
        "_timeout",
        "early",
        "waiting",
        "wire",
    )

    def __init__(self, address: Address, keeper: Keeper | None = None, timeout: float | None = None) -> None:
        """Take where to connect to; a `timeout` is the seconds that every wait on it may take."""
        self._address = address
        self._keeper = keeper
        self._timeout = timeout
        self._sock: _socket.socket | None = None
        self._number = 0  # of this one; the other has the other of 0 and 1
        self._other: _socket.socket | None = None  # idle, or with a poll out on it
        self._ahead: wire.Wire | None = None  # the protocol state of that one, if so
        self._shut = False
        self.early: Reply | Invocation | None = None
        self.waiting = False
        self.wire = wire.Wire(address.text)
        self.wire.close()
        if keeper is not None and (adopted := keeper.adopt()) is not None:
            self._sock = _socket.socket(fileno=adopted[0])
            self.wire = wire.Wire(address.text)
            self.wire.adopt(adopted[1])

    @property
    def quiet(self) -> bool:
        """No reply is to come: there is nothing to read."""
        return self.early is None and self.wire.state in (wire.IDLE, wire.CLOSED, wire.STREAMING)

    @property
    def awaits_event(self) -> bool:
        """`read` waits for an event; if there is a keeper also when the reply to an answer comes before it."""
        return self.wire.state is wire.POLLING or (self._keeper is not None and self.wire.low_water > 1)

    def open(self, stopped: Callable[[], bool] = _never) -> wire.Wire:
        """Return the protocol state of an idle connection, a new one if need be: it makes the requests to send.

        Raises:
            ConnectionLost: nothing answers, or `stopped` said that it is no longer wanted.
        """
        if self.wire.state is not wire.IDLE:
            self.close()
            self._sock = self._address.connect(stopped)
            if self._timeout is not None:
                self._sock.settimeout(self._timeout)
            self._shut = False
            self.wire = wire.Wire(self._address.text)
            if self._keeper is not None:
                self._keeper.opened(self._sock.fileno(), self._number)
        return self.wire

    @property
    def is_ahead(self) -> bool:
        """A poll is out on the other connection."""
        return self._ahead is not None

    def poll_ahead(self) -> bool:
        """Send a poll on the other connection; False: that cannot be had at once."""
        keeper = self._keeper
        number = 1 - self._number
        try:
            if self._other is None:
                self._other = self._address.connect_at_once()
                if keeper is not None:
                    keeper.opened(self._other.fileno(), number)
            ahead = wire.Wire(self._address.text)
            request = ahead.next()
            if keeper is not None:
                keeper.reaching(number)
            if self._other.send(request, _socket.MSG_DONTWAIT) != len(request):
                raise BlockingIOError
        except (ConnectionLost, OSError):
            self._close_other()
            return False
        if keeper is not None:
            keeper.reached()
        self._ahead = ahead
        return True

    def go_over(self) -> None:
        """Go on with the other connection, on which a poll is out; this one, if it can be used again, is the other now."""
        assert self._ahead is not None
        if self.wire.state is not wire.IDLE:
            self.close()
        self._sock, self._other = self._other, self._sock
        self._number = 1 - self._number
        self.wire, self._ahead = self._ahead, None
        self._shut = False
        if self._keeper is not None:
            self._keeper.polling(self._number)

    def call(self, request: bytes) -> Reply:
        """Send `request` and return its reply: for everything but polls and answers.

        Raises:
            RuntimeApiError: there is no reply.
        """
        self.send(request)
        return self.read_reply()

    def close(self) -> None:
        """Close it, if it is open."""
        sock, self._sock = self._sock, None
        self.wire.close()
        self.early = None
        self.waiting = False
        if sock is not None:
            self._end(sock, self._number)

    def close_both(self) -> None:
        """Close this one and the other."""
        self.close()
        self._close_other()

    def _close_other(self) -> None:
        sock, self._other = self._other, None
        self._ahead = None
        if sock is not None:
            self._end(sock, 1 - self._number)

    def _end(self, sock: _socket.socket, number: int) -> None:
        if self._keeper is not None:  # which has a copy of it
            self._keeper.closed(number)
            _shut_down(sock, _socket.SHUT_RDWR)
        sock.close()

    def shut(self) -> None:
        """End a `read` that waits, from any thread; an event that has begun to arrive is still read to its end."""
        sock = self._sock  # first, lest it be the next connection's
        if self.waiting and sock is not None:
            self._shut = True
            self._end_waiting(sock)

    def is_stale(self) -> bool:
        """Say whether anything has come on an idle connection: nothing but its end can."""
        return self._sock is None or _has_bytes(self._sock)

    def read(self) -> Reply | Invocation:
        """Wait for the next event, for as long as it takes.

        Raises:
            ConnectionLost: there will be none.
            ProtocolError: what came is not the Runtime API's protocol.
        """
        event, self.early = self.early, None
        if event is not None:
            return event
        current = self.wire
        sock = self._sock
        while (event := current.next_event()) is None:
            if sock is None:
                raise ConnectionLost("there is no connection to the Runtime API")
            if self._shut:
                self._end_waiting(sock)  # what `shut` saw coming may have been no event
            try:
                if self._keeper is None or current.state is wire.ANSWERED:  # no event can come
                    current.receive(sock.recv(wire.READ_SIZE))
                else:
                    if not current.receiving:
                        # A process that is being killed still takes what comes in while it waits: let it stay there.
                        sock.recv(current.low_water, _socket.MSG_PEEK | _socket.MSG_WAITALL)
                    current.receive(self._keeper.receive(sock, current.receiving))
            except OSError as error:
                raise self._address.broken(error) from error
        if self._keeper is not None and isinstance(event, Invocation):
            self._keeper.received(event)
        return event

    def read_reply(self) -> Reply:
        """Wait for the reply to what was sent, no poll among it. Raises as `read` does."""
        event = self.read()
        assert isinstance(event, Reply)  # an event comes only after a poll
        return event

    def _end_waiting(self, sock: _socket.socket) -> None:
        """Have `recv` return at once, unless there is something to wait for: what comes later comes slowly, if at all."""
        if not self.wire.receiving and not _has_bytes(sock, self.wire.low_water):
            _shut_down(sock, _socket.SHUT_RD)

    def send(self, data: bytes) -> None:
        """Send all of `data`, unless the platform replies before it has everything: then `early` is its reply.

        Raises:
            ConnectionLost: the connection broke.
            ProtocolError: what came instead of a reply is not the Runtime API's protocol.
        """
        sock = self._sock
        if sock is None:
            raise ConnectionLost("there is no connection to the Runtime API")
        if self.early is not None:
            return
        keeper = self._keeper
        if keeper is not None and self.wire.state is wire.AHEAD:
            keeper.answering()
        try:
            sent = sock.send(data, _socket.MSG_DONTWAIT)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self._explain(sock, error)
            return
        if sent != len(data):
            self._send_rest(sock, memoryview(data)[sent:])
        if keeper is not None:
            if self._ahead is not None:
                keeper.polling(1 - self._number)
            elif self.wire.state is wire.AHEAD or self.wire.state is wire.POLLING:
                keeper.polling(self._number)

    def _send_rest(self, sock: _socket.socket, rest: memoryview) -> None:
        """Send what the kernel had no room for, listening: who rejects a request need not read it to its end."""
        ready = select.poll()
        ready.register(sock.fileno(), select.POLLIN | select.POLLOUT)
        while rest:
            events = ready.poll()[0][1]
            if events & ~select.POLLOUT and self._hear(sock):
                return
            try:
                rest = rest[sock.send(rest, _socket.MSG_DONTWAIT) :]
            except BlockingIOError:
                continue
            except OSError as error:
                self._explain(sock, error)
                return

    def _explain(self, sock: _socket.socket, error: OSError) -> None:
        """Find out why the platform does not listen any more: it may have said so before."""
        if not self._hear(sock):
            raise self._address.broken(error) from error

    def _hear(self, sock: _socket.socket) -> bool:
        """Say whether the platform has replied to what is still being sent; then nothing can follow it here."""
        try:
            data = sock.recv(wire.READ_SIZE, _socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError as error:
            raise self._address.broken(error) from error
        self.wire.receive(data)
        self.early = self.wire.next_event()
        if self.early is None:
            return False
        self.wire.close()
        return True


def _shut_down(sock: _socket.socket, how: int) -> None:
    try:
        sock.shutdown(how)
    except OSError:
        pass  # the other side was quicker, or the thread that reads


def _has_bytes(sock: _socket.socket, count: int = 1) -> bool:
    """Say whether something has come in: so many bytes, the end, or an error."""
    try:
        data = sock.recv(count, _socket.MSG_PEEK | _socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return not data or len(data) >= count
