"""One connection of a runtime: carries bytes between a transport and the wire, and requests to whoever serves them.

Pushing back, half-closed connections, early replies, and the evidence of what a dead client has not received live here;
what a request means does not.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, cast

from polylambda.server.errors import Refusal
from polylambda.server.wire import CONTINUE, Data, EndOfRequest, Reply, RequestHead, State, Wire

if TYPE_CHECKING:
    from polylambda.server.ledger import Attempt

MAX_AHEAD = 64 * 1024  # bytes that are read while nothing may be done with them
MAX_DRAIN = 256 * 1024  # bytes of a refused body that are read for the sake of the connection
LINGER = 2.0  # seconds that a client has to read an early reply before its connection is torn down


class Exchange(Protocol):
    """A request that is being served."""

    def receive(self, data: bytes) -> bool:
        """Take a piece of the body; False: no more until the connection's `resume`. Raises Refusal."""
        ...

    def finish(self, trailers: dict[str, str]) -> Reply | None:
        """Take the end of the request. None: the reply comes later. Raises Refusal."""
        ...

    def abort(self) -> None:
        """Take it that there will be no more of the request, or nobody to reply to."""
        ...

    def lost(self) -> None:
        """Take it that the client has certainly not read the whole reply. May be said twice."""
        ...


Serve = Callable[[RequestHead, "Connection"], Exchange]


class Owner(Protocol):
    """Who closes connections when it is time."""

    def add(self, connection: Connection) -> None:
        """Count a connection that was made."""
        ...

    def discard(self, connection: Connection) -> None:
        """Forget a connection that is gone."""
        ...


class Connection(asyncio.Protocol):
    """Serve the requests of one connection, one after the other."""

    def __init__(self, serve: Serve, owner: Owner) -> None:
        """Give every request to `serve`, which may raise Refusal; tell `owner` when it begins and when it is over."""
        self._serve = serve
        self._owner = owner
        self._wire = Wire()
        self._transport: asyncio.Transport | None = None
        self._exchange: Exchange | None = None
        self._unconfirmed: Exchange | None = None  # its reply is out, and nothing shows yet that it was read
        self._out: list[bytes] = []
        self._advancing = False
        self._held_back = False  # by a slow caller
        self._congested = False  # by a client that does not read its replies
        self._reading = True
        self._linger: asyncio.TimerHandle | None = None
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    # For exchanges, and for who made the connection

    def deliver(self, attempt: Attempt) -> None:
        """Reply to the current request, a poll, with an invocation."""
        self._unconfirmed, self._exchange = self._exchange, None
        self._out += self._wire.deliver(attempt)
        self._go_on()

    def reply(self, reply: Reply) -> None:
        """Reply to the current request, later than from its `finish`."""
        self._exchange = None
        self._out.append(self._wire.reply(reply))
        self._go_on()

    def resume(self) -> None:
        """Read on: what held the current request back has gone."""
        self._held_back = False
        self._go_on()

    def refuse(self, refusal: Refusal) -> None:
        """Break the current request off."""
        self._exchange = None
        self._held_back = False
        self._out.append(self._wire.reply(Reply.refusing(refusal), last=True))
        self._go_on()

    def close(self) -> None:
        """Close it, whatever goes on; `closed` is done when it is."""
        self._abort_exchange()
        if self._transport is not None:
            self._transport.abort()

    # For the event loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by inheritance
        self._owner.add(self)

    def data_received(self, data: bytes) -> None:
        """Take bytes of the client."""
        self._unconfirmed = None  # who asks on has read the reply before
        self._wire.receive(data)
        self._go_on()

    def eof_received(self) -> bool:
        """Take it that the client sends nothing more; it may still read."""
        if self._unconfirmed is not None and self._was_reset():
            self._unconfirmed.lost()
        self._wire.receive(b"")
        self._go_on()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """Take it that the connection is gone."""
        # A client's system resets the connection when the client went away with bytes of ours unread, and the last of
        # them are those of the last reply.
        if self._unconfirmed is not None and isinstance(exc, (ConnectionResetError, BrokenPipeError)):
            self._unconfirmed.lost()
        self._abort_exchange()
        if self._linger is not None:
            self._linger.cancel()
        self._transport = None
        self._owner.discard(self)
        self.closed.set_result(None)

    def pause_writing(self) -> None:
        """Serve no further request: the client does not read its replies."""
        self._congested = True

    def resume_writing(self) -> None:
        """Serve on."""
        self._congested = False
        self._go_on()

    # Inside

    def _go_on(self) -> None:
        """Do what can be done now, and send in one write what came of it."""
        if self._advancing:  # an exchange replied while it was being finished: the loop below sees it
            return
        self._advancing = True
        wire = self._wire
        try:
            while not (self._held_back or self._congested):
                try:
                    event = wire.next_event()
                    if event is None:
                        break
                    self._take(event)
                except Refusal as refusal:
                    self._abort_exchange()
                    self._out.append(wire.reply(Reply.refusing(refusal), last=refusal.fatal))
        finally:
            self._advancing = False
        transport = self._transport
        if transport is None:
            return
        if self._out:
            data = b"".join(self._out)
            self._out.clear()
            transport.write(data)
        if wire.buffered or not self._reading:
            self._throttle(transport)
        if wire.eof or wire.closing:
            self._wind_up(transport)

    def _take(self, event: RequestHead | Data | EndOfRequest) -> None:
        """Act on an event. Raises Refusal."""
        if type(event) is RequestHead:
            self._begin(event)
            return
        exchange = self._exchange
        assert exchange is not None
        if type(event) is Data:
            self._held_back = not exchange.receive(event.data)
        elif type(event) is EndOfRequest:
            if event.data:
                exchange.receive(event.data)
            reply = exchange.finish(event.trailers)
            if reply is not None:
                self._exchange = None
                self._out.append(self._wire.reply(reply))

    def _begin(self, head: RequestHead) -> None:
        try:
            self._exchange = self._serve(head, self)
        except Refusal as refusal:
            # A client that waits to be told to go on may send its body or not: there is no telling what comes next.
            if refusal.fatal or head.expects_continue or (head.content_length or 0) > MAX_DRAIN:
                raise
            self._exchange = _Refused(refusal)
            return
        if head.expects_continue:
            self._out.append(CONTINUE)

    def _abort_exchange(self) -> None:
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.abort()

    def _throttle(self, transport: asyncio.Transport) -> None:
        """Stop or start reading. While little has come in, reading goes on, for only so is the end noticed."""
        stuck = self._held_back or self._congested or self._wire.state is State.REPLY
        reading = not (stuck and self._wire.buffered > MAX_AHEAD)
        if reading != self._reading:
            self._reading = reading
            if reading:
                transport.resume_reading()
            else:
                transport.pause_reading()

    def _wind_up(self, transport: asyncio.Transport) -> None:
        """Close the connection if it is of no more use."""
        wire = self._wire
        if wire.state is State.CUT and not wire.eof:
            # Closing with unread bytes would reset the connection, and take our reply with it.
            if self._linger is None:
                transport.write_eof()
                self._linger = asyncio.get_running_loop().call_later(LINGER, transport.abort)
        elif wire.state is State.BODY or self._held_back or self._congested:
            return  # the rest of what came in is still to be served
        else:
            # This ends a poll as well. A client that has merely closed its sending half cannot be told from one that
            # is gone, and loses nothing but the poll.
            self._abort_exchange()
            transport.close()

    def _was_reset(self) -> bool:
        """Say whether the client's system has refused our bytes: the client had closed before they came."""
        sock = None if self._transport is None else self._transport.get_extra_info("socket")
        return sock is not None and sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0


class _Refused:
    """A request that was refused: its body is read, for the connection's sake, and thrown away."""

    def __init__(self, refusal: Refusal) -> None:
        self._refusal = refusal
        self._size = 0

    def receive(self, data: bytes) -> bool:
        self._size += len(data)
        if self._size > MAX_DRAIN:
            raise self._refusal
        return True

    def finish(self, trailers: dict[str, str]) -> Reply:
        return Reply.refusing(self._refusal)

    def abort(self) -> None:
        pass

    def lost(self) -> None:
        pass
