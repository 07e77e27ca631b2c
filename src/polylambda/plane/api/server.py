"""The plane's HTTP server: uvicorn and httptools, with limits on what a caller may send and how slowly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from polylambda.local.http import HttpServer

if TYPE_CHECKING:
    import asyncio
    import socket
    from collections.abc import Awaitable, Callable

    from polylambda.local.exchange import Receive, Scope, Send

MAX_HEAD = 1024 * 1024
"""Bytes of a request's first line and headers; AWS's figure."""

MAX_BODY = 128 * 1024 * 1024
"""Bytes of a body that are read at all; smaller ones are refused with more to say."""

PATIENCE = 60.0
"""Seconds that a caller may take to send the next piece of a request that it has begun, or the first one."""

KEEP_ALIVE = 75
"""Seconds that a connection may be idle between requests: longer than the clients we know keep theirs."""

_TOO_LARGE = b"the request's first line and headers have more than 1 MB"


class OneWrite:
    """A transport that sends what is written in one turn of the loop with one system call.

    uvicorn writes the head of an answer by itself: two packets, and two wake-ups of the caller, for each invocation.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held: list[bytes] = []

    def write(self, data: bytes) -> None:
        """Send `data` at the end of this turn, or when `flush` is called."""
        if not self._held:
            self._loop.call_soon(self.flush)
        self._held.append(data)

    def flush(self) -> None:
        """Send what is held."""
        held = self._held
        if held:
            self._held = []
            self._transport.write(held[0] if len(held) == 1 else b"".join(held))

    def close(self) -> None:
        """Send what is held, and close."""
        self.flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class LimitedProtocol(HttpToolsProtocol):
    """uvicorn's protocol with limits, of which it has none."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._out = OneWrite(transport, self.loop)
        self.transport = cast("asyncio.Transport", self._out)
        self._head = 0  # bytes of the head that is being received; -1 while a body is
        self._body = 0
        self._receiving = True
        self._heard = self.loop.time()
        self._watch = self.loop.call_later(PATIENCE, self._check_patience)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._watch.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came, unless it is too much."""
        if self._head >= 0:
            self._head += len(data)
        else:
            self._heard = self.loop.time()  # a head has its time as a whole, a body for each piece
        super().data_received(data)
        if self._head > MAX_HEAD and not self.transport.is_closing():
            self._refuse(b"431 Request Header Fields Too Large", _TOO_LARGE)

    def on_message_begin(self) -> None:
        """Note that a request begins."""
        super().on_message_begin()
        self._body = 0
        self._receiving = True
        self._heard = self.loop.time()

    def on_headers_complete(self) -> None:
        """Note that a request's head is complete."""
        self._head = -1
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body, unless it is too much."""
        self._body += len(body)
        if self._body > MAX_BODY:
            if not self.transport.is_closing():
                self._refuse(b"413 Content Too Large", b"the request's body is too large")
            return
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Note that a request is complete: whoever is slow now is us."""
        self._head = 0
        self._receiving = False
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Send the answer."""
        self._out.flush()
        super().on_response_complete()

    def _check_patience(self) -> None:
        if self.transport.is_closing():
            return
        idle = self.loop.time() - self._heard
        # Reading is paused while the application lags behind: then the caller cannot send.
        if self._receiving and idle >= PATIENCE and not self.flow.read_paused:
            self._refuse(b"408 Request Timeout", b"the request did not come in time")
            return
        self._watch = self.loop.call_later(max(PATIENCE - idle, 1.0), self._check_patience)

    def _refuse(self, status: bytes, message: bytes) -> None:
        """Say what is wrong, if nothing else was said yet, and hang up."""
        cycle: Any = self.cycle
        if cycle is None or not cycle.response_started or cycle.response_complete:
            head = b"HTTP/1.1 %b\r\ncontent-type: text/plain\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
            self.transport.write(head % (status, len(message)) + message)
        self.transport.close()


class PlaneServer(HttpServer):
    """Serves a plane's application, as `HttpServer` does."""

    def __init__(self, app: Callable[[Scope, Receive, Send], Awaitable[None]], sock: socket.socket) -> None:
        """Serve `app` on `sock`, which listens already."""
        super().__init__(app, sock, protocol=LimitedProtocol, keep_alive=KEEP_ALIVE)
        self.config.proxy_headers = False  # nobody in between, and callers may not say where they are
