"""One connection to an agent: bytes out, one reply at a time back. What a reply means is its exchange's business."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol, cast

import httptools

if TYPE_CHECKING:
    from collections.abc import Callable


class Exchange(Protocol):
    """A request that was sent, and the reply to it."""

    def head(self, status: int, headers: dict[str, bytes]) -> None:
        """Take the head of the reply; header names are in lower case."""
        ...

    def data(self, data: bytes, connection: Connection) -> None:
        """Take a piece of the body. Raises ProtocolError."""
        ...

    def end(self) -> None:
        """Take the end of the reply."""
        ...

    def lost(self, reason: str) -> None:
        """Take it that there will be no (more of the) reply."""
        ...


class Connection(asyncio.Protocol):
    """A connection that is used for one exchange after the other."""

    def __init__(self, on_free: Callable[[Connection], None], on_lost: Callable[[Connection], None]) -> None:
        """Call `on_free` whenever a reply is whole, and `on_lost` when the connection is gone."""
        self._on_free = on_free
        self._on_lost = on_lost
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._exchange: Exchange | None = None
        self._headers: dict[str, bytes] = {}

    @property
    def usable(self) -> bool:
        """Whether a request may be sent."""
        return self._transport is not None and self._exchange is None and not self._transport.is_closing()

    def send(self, request: bytes, exchange: Exchange) -> None:
        """Send a request; its reply goes to `exchange`."""
        assert self._transport is not None
        self._exchange = exchange
        self._transport.write(request)

    def hold_back(self) -> None:
        """Read nothing more until `go_on`."""
        if self._transport is not None:
            self._transport.pause_reading()

    def go_on(self) -> None:
        """Read again."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def abort(self, reason: str) -> None:
        """Close it now; its exchange hears the reason at once."""
        exchange, self._exchange = self._exchange, None
        if self._transport is not None:
            self._transport.abort()
        if exchange is not None:
            exchange.lost(reason)

    # For the event loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by inheritance

    def data_received(self, data: bytes) -> None:
        """Take bytes of the agent."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            # What the exchange raised is the cause of what the parser raises.
            self.abort(f"the agent's reply cannot be read: {error.__context__ or error}")

    def connection_lost(self, exc: Exception | None) -> None:
        """Take it that the agent is gone."""
        self._transport = None
        exchange, self._exchange = self._exchange, None
        self._on_lost(self)
        if exchange is not None:
            exchange.lost("it closed the connection" if exc is None else str(exc))

    # For the parser

    def on_message_begin(self) -> None:
        """Forget the reply before."""
        self._headers = {}

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header."""
        self._headers[name.decode("latin-1").lower()] = value

    def on_headers_complete(self) -> None:
        """Take the head."""
        if self._exchange is not None:
            self._exchange.head(self._parser.get_status_code(), self._headers)

    def on_body(self, data: bytes) -> None:
        """Take a piece of the body."""
        if self._exchange is not None:
            self._exchange.data(data, self)

    def on_message_complete(self) -> None:
        """Take the end of the reply."""
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            if self._parser.should_keep_alive():
                self._on_free(self)
            exchange.end()
