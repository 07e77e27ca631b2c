"""Many callers at once, each with one request under way: the HTTP side of the load generator.

An SDK spends ten times as much CPU on a call as the plane does, and would measure itself; so this is HTTP/1.1 and no
more.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self, cast

import httptools

from polylambda.errors import PolylambdaError

if TYPE_CHECKING:
    from types import TracebackType


class NoAnswer(PolylambdaError):
    """The connection was refused, or cut off before the answer was complete."""


@dataclass(slots=True)
class Reply:
    """An answer.

    Attributes:
        status: HTTP status.
        headers: with their names in lower case.
        body: all of it.
    """

    status: int
    headers: dict[bytes, bytes]
    body: bytes


class Callers:
    """Sends requests to one address, over as many connections as there are requests under way."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._idle: list[_Connection] = []
        self._all: set[_Connection] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for connection in self._all:
            connection.close()
        # Closed by the loop, one turn later.
        await asyncio.gather(*(connection.closed for connection in self._all))

    @property
    def connections(self) -> int:
        """Connections that are open."""
        return sum(not connection.closed.done() for connection in self._all)

    async def send(self, request: bytes) -> Reply:
        """Send a whole request, and return the answer.

        Raises:
            NoAnswer: there is none.
        """
        connection = self._take() or await self._connect()
        try:
            reply = await connection.exchange(request)
        except BaseException:
            connection.close()
            raise
        if connection.reusable:
            self._idle.append(connection)
        else:
            connection.close()
        return reply

    def _take(self) -> _Connection | None:
        while self._idle:
            # The one used last: those that are not needed any more stay idle, and end.
            connection = self._idle.pop()
            if not connection.closed.done():
                return connection
        return None

    async def _connect(self) -> _Connection:
        loop = asyncio.get_running_loop()
        try:
            _, connection = await loop.create_connection(lambda: _Connection(loop), self._host, self._port)
        except OSError as error:
            raise NoAnswer(f"{self._host}:{self._port} takes no connection: {error.strerror or error}") from error
        self._all.add(connection)
        connection.closed.add_done_callback(lambda _: self._all.discard(connection))
        return connection


class _Connection(asyncio.Protocol):
    """One keep-alive connection."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.closed: asyncio.Future[None] = loop.create_future()
        self.reusable = True
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._reply: asyncio.Future[Reply] | None = None
        self._begin()

    async def exchange(self, request: bytes) -> Reply:
        if self._transport is None or self.closed.done():
            raise NoAnswer("the connection was closed")
        self._begin()
        self._reply = self._loop.create_future()
        self._transport.write(request)
        return await self._reply

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _begin(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._headers: dict[bytes, bytes] = {}
        self._body: list[bytes] = []

    # Called by the loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by inheritance

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(NoAnswer(f"the answer is no HTTP: {error}"))
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed.set_result(None)
        self._fail(NoAnswer(f"the connection was cut off: {exc or 'the other side closed it'}"))

    # Called by the parser

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.lower()] = value

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        if self._parser.get_status_code() == 100:
            return
        self.reusable = self._parser.should_keep_alive()
        if self._reply is not None and not self._reply.done():
            self._reply.set_result(Reply(self._parser.get_status_code(), self._headers, b"".join(self._body)))

    def _fail(self, error: NoAnswer) -> None:
        if self._reply is not None and not self._reply.done():
            self._reply.set_exception(error)
