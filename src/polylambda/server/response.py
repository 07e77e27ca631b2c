"""What comes back for an invocation: a body that arrives, and how it ended.

A `Response` has two ends. The caller reads from it; the broker fills it, and hears when the caller lags behind, so that
it can hold the runtime back. It knows nothing of HTTP.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from polylambda.rapi import headers as names
from polylambda.server.invocation import Outcome

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

DEFAULT_STREAM_BUFFER = 64 * 1024


class Response:
    """The answer to one invocation. Read it once, with `read()` or `async for`; `aclose()` it to stop earlier.

    An error that comes before the first byte is the body: its JSON, with `error_type` beside it. When a stream breaks
    off, `error_type` and `error_body` are set by the time its last chunk was read.

    Attributes:
        request_id: id of the invocation.
        content_type: of the body, as the runtime gave it.
        streamed: the runtime asked for streaming.
        error_type: such as `Function.Error` or `Sandbox.Timedout`; None when nothing went wrong (so far).
        error_body: JSON of an error in the middle of a stream, else empty.
        outcome: PENDING until the answer is whole.
    """

    __slots__ = (
        "_begun",
        "_buffered",
        "_chunks",
        "_closed",
        "_limit",
        "_on_drain",
        "_waiter",
        "content_type",
        "error_body",
        "error_type",
        "outcome",
        "request_id",
        "streamed",
    )

    def __init__(self, request_id: str, *, buffer_limit: int = DEFAULT_STREAM_BUFFER) -> None:
        """Begin to wait for an answer; `buffer_limit` bytes of a stream may wait for the caller."""
        self.request_id = request_id
        self.content_type = names.JSON
        self.streamed = False
        self.error_type: str | None = None
        self.error_body = b""
        self.outcome = Outcome.PENDING
        self._chunks: deque[bytes] = deque()
        self._buffered = 0
        self._limit = buffer_limit
        self._begun = False
        self._closed = False
        self._waiter: asyncio.Future[None] | None = None
        self._on_drain: Callable[[], None] | None = None

    def __repr__(self) -> str:
        return f"<Response {self.request_id} {self.outcome.value}{', streamed' if self.streamed else ''}>"

    # The caller's end

    async def read(self) -> bytes:
        """Return the whole body, or what is left of it, once it has ended."""
        if self.outcome is Outcome.PENDING:
            return b"".join([chunk async for chunk in self])
        body = b"".join(self._chunks)
        self._chunks.clear()
        return body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield pieces of the body as they arrive. While nobody asks for the next one, the runtime is held back."""
        while True:
            while self._chunks:
                yield self._take()
            if self.outcome is not Outcome.PENDING or self._closed:
                return
            await self._wait()

    async def aclose(self) -> None:
        """Hang up: what still comes is thrown away, and the runtime is not held back any more."""
        self.discard()

    # The broker's end

    @property
    def has_head(self) -> bool:
        """The answer has begun."""
        return self._begun

    async def wait_for_head(self) -> None:
        """Wait until the answer has begun."""
        if not self._begun:
            await self._wait()

    @property
    def abandoned(self) -> bool:
        """The caller hung up."""
        return self._closed

    def begin(self, content_type: str, *, streamed: bool) -> None:
        """Take the head of the answer."""
        self.content_type = content_type
        self.streamed = streamed
        self._begun = True
        self._wake()

    def feed(self, data: bytes) -> None:
        """Take a piece of the body; it is dropped when the caller has hung up."""
        if data and not self._closed:
            self._chunks.append(data)
            self._buffered += len(data)
            self._wake()

    def wait_for_drain(self, resume: Callable[[], None]) -> bool:
        """Say whether the caller lags behind; if so, `resume` is called when it has caught up, or hung up."""
        if self._buffered <= self._limit:
            return False
        self._on_drain = resume
        return True

    def end(self, outcome: Outcome, error_type: str | None = None, error_body: bytes = b"") -> None:
        """Take the end of the answer."""
        self.outcome = outcome
        self.error_type = error_type
        self.error_body = error_body
        self._on_drain = None
        self._wake()

    def discard(self) -> None:
        """Do what `aclose` does, for code that cannot wait."""
        self._closed = True
        self._chunks.clear()
        self._buffered = 0
        self._wake()
        self._drained()

    def _take(self) -> bytes:
        chunk = self._chunks.popleft()
        self._buffered -= len(chunk)
        if self._buffered <= self._limit // 2:
            self._drained()
        return chunk

    def _drained(self) -> None:
        resume, self._on_drain = self._on_drain, None
        if resume is not None:
            resume()

    def _wait(self) -> asyncio.Future[None]:
        """Wait for something new. There is one reader, so one waiter."""
        self._waiter = asyncio.get_running_loop().create_future()
        return self._waiter

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None:
            self._waiter = None
            if not waiter.done():  # its reader may have been cancelled
                waiter.set_result(None)
