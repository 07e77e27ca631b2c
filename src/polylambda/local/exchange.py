"""One HTTP request and the response to it, over ASGI.

Everything else in this package that speaks to a caller does it through an `Exchange`. See
https://asgi.readthedocs.io/en/latest/specs/www.html.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from polylambda.errors import PolylambdaError
from polylambda.local.answers import Answer, Head
from polylambda.local.urls import Request, joined_headers

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class CallerGone(PolylambdaError):
    """The caller closed the connection before the response was complete."""


class Exchange:
    """A request whose body can be read, and its response, which can be written once."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        lines: list[tuple[bytes, bytes]] = scope["headers"]
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.target: str = scope.get("raw_path", scope["path"].encode()).decode("latin-1")
        self.query: str = scope["query_string"].decode("latin-1")
        self.header_lines = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in lines]
        self.headers = joined_headers(self.header_lines)
        self.protocol = f"HTTP/{scope['http_version']}"
        self.caller: str = (scope.get("client") or ("127.0.0.1", 0))[0]
        self.started = False
        self._read = False
        self._head: Head | None = None
        self._receive = receive
        self._send = send

    async def body(self, limit: int) -> bytes | None:
        """Return the request's body; None when it is longer than `limit` bytes.

        Raises:
            CallerGone: the caller closed the connection.
        """
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise CallerGone("the caller hung up while sending the request")
            chunk: bytes = message.get("body", b"")
            size += len(chunk)
            if size <= limit:
                chunks.append(chunk)
            if not message.get("more_body", False):
                self._read = True
                return b"".join(chunks) if size <= limit else None

    def request(self, body: bytes) -> Request:
        """Return the request, with its body, as a function URL takes it."""
        return Request(
            method=self.method,
            target=self.target,
            query=self.query,
            headers=self.header_lines,
            body=body,
            protocol=self.protocol,
            source_ip=self.caller,
        )

    async def while_connected(self, work: Awaitable[None]) -> None:
        """Await `work`, and cancel it when the caller hangs up. The request's body must have been read.

        Raises:
            CallerGone: the caller hung up first.
        """
        work_task = asyncio.ensure_future(work)
        watcher = asyncio.ensure_future(self._disconnected())
        try:
            await asyncio.wait({work_task, watcher}, return_when=asyncio.FIRST_COMPLETED)
            if not work_task.done():
                raise CallerGone("the caller hung up before the answer")
            await work_task
        finally:
            for task in (work_task, watcher):
                task.cancel()
            await asyncio.wait({work_task, watcher})

    async def start(self, head: Head) -> None:
        """Send the head of the response, after the whole request was read: a caller still sending might miss it.

        Raises:
            CallerGone: the caller closed the connection while sending.
        """
        if not self._read:
            await self.body(0)
        self.started = True
        self._head = head
        await self._send({"type": "http.response.start", "status": head.status, "headers": list(head.headers)})

    async def write(self, data: bytes) -> None:
        """Send a piece of the body; wait while the caller lags behind."""
        if data and self._head is not None and self._head.has_body:
            await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def finish(self) -> None:
        """End the response. One that is never finished is cut off, which the caller can tell."""
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def answer(self, answer: Answer) -> None:
        """Send a whole response."""
        head = answer.head
        if head.has_body:
            length = (b"content-length", str(len(answer.body)).encode())
            head = Head(status=head.status, headers=(*head.headers, length))
        await self.start(head)
        body = answer.body if head.has_body else b""
        await self._send({"type": "http.response.body", "body": body, "more_body": False})

    async def _disconnected(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
