"""One request on its way through an application: what its `receive` and `send` do.

    START       the application has not begun to answer
    BODY        it has given status and headers
    DONE        the answer is complete; the application may go on working

A buffered answer leaves when it is complete: together with the slot's next poll if the application ends then, as nearly all
do, or as soon as it waits for something, if it goes on working. A streamed one leaves piece by piece; its head leaves with
the first piece, or as soon as the application waits for something, so that what fails before can still be told as an error.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from polylambda import codec
from polylambda.asgi.head import Head
from polylambda.errors import RuntimeApiError
from polylambda.response import DONE as NOTHING_TO_WAIT_FOR

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from polylambda.asgi.events import Request
    from polylambda.asgi.protocol import Message
    from polylambda.context import LambdaContext
    from polylambda.response import ResponseStream

_START = "start"
_BODY = "body"
_DONE = "done"

_LAST_MOMENT = 0.5  # seconds before the deadline at which an application that listens is told that it is over

_EXPECTED = {_START: "http.response.start", _BODY: "http.response.body"}


class CallerGone(OSError):
    """Nobody takes the response any more; ASGI has `send` raise an OSError then."""


class Exchange:
    """A request and its buffered answer."""

    def __init__(self, request: Request, response: ResponseStream, context: LambdaContext) -> None:
        """Take a request, and where its answer goes.

        Args:
            request: what the application is called with.
            response: takes the answer.
            context: of the invocation.
        """
        self.request = request
        self.response = response
        self.lost: RuntimeApiError | None = None
        self.head: Head
        self._context = context
        self._state = _START
        self._unread = True
        self._gone: asyncio.Event | None = None  # while somebody waits for the caller to go
        self._timer: asyncio.TimerHandle | None = None
        self._departure: asyncio.Handle | None = None  # of what is ready and was not sent
        self._pieces: list[bytes] = []

    @property
    def is_complete(self) -> bool:
        """The application has answered to the end."""
        return self._state is _DONE

    async def receive(self) -> Message:
        """Give the application its request; from then on wait until there is nobody to answer."""
        if self._unread:
            self._unread = False
            return {"type": "http.request", "body": self.request.body, "more_body": False}
        if self._state is not _DONE and self.lost is None:
            if self._gone is None:
                self._gone = asyncio.Event()
                left = self._context.deadline - time.time() - _LAST_MOMENT
                self._timer = asyncio.get_running_loop().call_later(max(left, 0), self._gone.set)
            await self._gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Take a message of the application's response.

        Raises:
            CallerGone: nobody takes it any more.
            RuntimeError: it is not the one that is due.
            ValueError: it cannot be sent.
        """
        kind = message["type"]
        due = _EXPECTED.get(self._state)
        if due is None:
            raise RuntimeError(f"the application sent {kind!r} after its answer was complete")
        if kind != due:
            raise RuntimeError(f"the application sent {kind!r} where {due!r} was due")
        if self._state is _START:
            self.head = Head(message, self.request.scope["method"])
            self._state = _BODY
            self._begin()
            return
        body = message.get("body", b"")
        if not isinstance(body, bytes):
            body = bytes(memoryview(body))
        more = message.get("more_body", False)
        if not more:
            self._state = _DONE
        try:
            await self._write(body if self.head.has_body else b"", more=more)
        except RuntimeApiError as error:
            self.lost = error
            self._tell()
            raise CallerGone(f"the response cannot be sent: {error}") from error
        if not more:
            self._tell()

    def depart(self) -> None:
        """Send a whole answer now, if one is ready."""
        departure, self._departure = self._departure, None
        if departure is None:
            return
        departure.cancel()
        body = self.response.body
        if body is not None:
            self.response.take_back()
            # Not awaited: what the application does next need not wait for the platform's reply.
            self.response.finish(body)

    def close(self) -> None:
        """The application has ended."""
        for handle in (self._timer, self._departure):
            if handle is not None:
                handle.cancel()

    def _begin(self) -> None:
        """Take it that the head is known."""

    def _write(self, body: bytes, *, more: bool) -> Awaitable[Any]:
        """Keep a piece of the body; the last one is followed by the answer."""
        if body:
            self._pieces.append(body)
        if not more:
            pieces = self._pieces
            whole = pieces[0] if len(pieces) == 1 else b"".join(pieces)
            self.response.give(*codec.dump(self.request.answer(self.head, whole)))
            self._departure = asyncio.get_running_loop().call_soon(self.depart)
        return NOTHING_TO_WAIT_FOR

    def _tell(self) -> None:
        """End the waiting of those who wait for the caller to go."""
        if self._gone is not None:
            self._gone.set()


class StreamedExchange(Exchange):
    """A request and its streamed answer."""

    def _begin(self) -> None:
        self.response.start_http(**self.head.prelude(multi_value=self.request.is_rest))
        self._departure = asyncio.get_running_loop().call_soon(self._send_head)

    def _send_head(self) -> None:
        """Send the head by itself."""
        self._departure = None
        try:
            self.response.write(b"")
        except RuntimeApiError as error:
            self.lost = error
            self._tell()

    def _write(self, body: bytes, *, more: bool) -> Awaitable[Any]:
        if self._departure is not None:
            self._departure.cancel()
            self._departure = None
        if more:
            return self.response.write(body)
        self.response.finish(body)  # the runtime waits for the platform's reply; see `depart`
        return NOTHING_TO_WAIT_FOR
