"""The Runtime API for a slot on an event loop.

The counterpart of `blocking`. While all goes well nothing is awaited: an event comes in by callback, the answer and the next
poll go out in one write. `run` is the slot's owner: it connects, waits before it tries again, and ends when the slot does.
"""

from __future__ import annotations

import asyncio
import time

from polylambda.errors import ConnectionLost, RuntimeApiError
from polylambda.rapi import wire
from polylambda.rapi.aio_connection import AsyncConnection
from polylambda.rapi.events import POLL, Invocation, Reply
from polylambda.rapi.policy import Backoff, log_loss, log_refusal, poll_refused
from polylambda.response import DONE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator
    from typing import Any

    from polylambda.rapi.address import Address
    from polylambda.rapi.keeper import Keeper
    from polylambda.rapi.spares import Spares
    from polylambda.report import ErrorReport

_COPIED = (
    112 * 1024
)  # bytes; a larger body is sent behind its head, for the copy would be in memory that is mapped anew

# Seconds from which an invocation is long: below it, more system calls cost more than the gap before the next poll.
_LONG = 0.001


class AsyncClient:
    """The Runtime API for one slot on the running loop.

    `received` is called with each invocation; for each, exactly one of `answer`, `error` and `resume` must follow.

    Attributes:
        stopping: `stop` was called.
    """

    def __init__(
        self,
        address: Address,
        received: Callable[[Invocation], None],
        *,
        pipelining: bool = True,
        keeper: Keeper | None = None,
        spares: Spares | None = None,
    ) -> None:
        """Take where the Runtime API listens and what to do with an invocation; nothing is sent yet.

        Args:
            address: the Runtime API's.
            received: takes an invocation.
            pipelining: send an answer and the next poll in one write.
            keeper: hears of every step.
            spares: where an invocation took long, send the next poll before its answer, on one of these; only for
                environments with several slots, with `pipelining`, and without a keeper.
        """
        self._address = address
        self._received = received
        self._pipelining = pipelining
        self._spares = spares if pipelining else None
        self._began = 0.0  # when the invocation came, if that matters, in seconds of the steady clock
        self._loop = asyncio.get_running_loop()
        self._connection = AsyncConnection(address, self._take, self._ended, keeper)
        self._busy = False  # an invocation was received and its slot not given back
        self._unconfirmed: tuple[Invocation, bytes | ErrorReport, str] | None = None  # an answer without its reply
        self._resent = False  # it was sent a second time
        self._settled: asyncio.Future[None] | None = None  # when the platform has taken it, if somebody waits for that
        self._stream: AsyncSink | None = None  # whose stream is under way
        self._backoff = Backoff()
        self._failure: RuntimeApiError | None = None  # why the last connection ended
        self._awake = False  # something has happened that `run` is to look at
        self._sleeper: asyncio.Future[None] | None = None  # on which `run` waits for that
        self._patience: asyncio.Timeout | None = None  # of what `stop` need not wait for
        self.stopping = False

    async def run(self) -> None:
        """Keep the slot at work until `stop` was called and its last answer has gone out.

        Raises:
            RuntimeApiError: nothing listens, every connection breaks, or the poll keeps being refused; tried with back-off.
        """
        self._connection.adopt()
        try:
            while not self._is_done():
                self._advance()
                if self._connection.is_wanted:
                    await self._connect()
                if not self._awake:
                    self._sleeper = self._loop.create_future()
                    await self._sleeper
                self._awake = False
                error, self._failure = self._failure, None
                if error is not None and not self.stopping:
                    await self._pause(self._backoff.after(error, self._loop.time()))
        finally:
            if self._spares is not None:
                self._connection.close_ahead(self._spares)
            self._connection.close()
            if self._stream is not None:
                self._stream.failed(ConnectionLost("the runtime has ended"))
            if self._settled is not None:
                self._settled.cancel()

    def answer(self, invocation: Invocation, body: bytes, content_type: str) -> None:
        """Send a whole answer, give the slot back, and send the next poll behind it."""
        self._busy = False
        self._post((invocation, body, content_type), poll=True)

    def error(self, invocation: Invocation, report: ErrorReport) -> None:
        """Answer with an error, give the slot back, and send the next poll behind it."""
        self._busy = False
        self._post((invocation, report, ""), poll=True)

    def resume(self) -> None:
        """Give the slot back: the invocation was answered before."""
        self._busy = False
        self._wake()

    def stop(self) -> None:
        """End `run`: at once while no invocation is under way, else after its answer.

        An event that has already arrived is still handed out.
        """
        self.stopping = True
        if self._connection.wire.state is wire.POLLING:
            self._connection.read()
            self._leave()
        if self._patience is not None and not self._patience.expired() and self._is_done():
            self._patience.reschedule(self._loop.time())
        self._wake()

    def _is_done(self) -> bool:
        if self._busy or not self.stopping:
            return False
        return self._unconfirmed is None and self._connection.wire.state is not wire.POLLING

    def _leave(self) -> None:
        """Give a poll up that no event has begun to arrive for."""
        current = self._connection.wire
        if current.state is wire.POLLING and not current.receiving:
            self._connection.close()

    async def _connect(self) -> None:
        try:
            async with asyncio.timeout(None) as self._patience:
                await self._connection.open()
        except TimeoutError:
            pass  # `stop` did not want to wait
        except RuntimeApiError as error:
            self._connection.close()
            self._ended(error)
        finally:
            self._patience = None

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds) as self._patience:
                await self._loop.create_future()
        except TimeoutError:
            pass
        finally:
            self._patience = None

    def _wake(self) -> None:
        self._awake = True
        if self._sleeper is not None and not self._sleeper.done():
            self._sleeper.set_result(None)

    def _advance(self) -> None:
        """Poll, if that is what is due."""
        if self._busy or self.stopping or self._connection.is_ahead:
            return
        state = self._connection.wire.state
        if state is wire.IDLE or (state is wire.ANSWERED and self._pipelining):
            self._connection.write(self._connection.wire.next())

    def _post(self, answer: tuple[Invocation, bytes | ErrorReport, str], *, poll: bool) -> None:
        self._unconfirmed = answer
        self._resent = False
        poll = poll and self._pipelining and not self.stopping
        if poll and self._spares is not None and time.monotonic() - self._began >= _LONG:
            content = answer[1]
            if not isinstance(content, bytes) or len(content) <= _COPIED:
                poll = not self._connection.poll_ahead(self._spares)
        self._transmit(answer, poll=poll)

    def _transmit(self, answer: tuple[Invocation, bytes | ErrorReport, str], *, poll: bool) -> None:
        invocation, content, content_type = answer
        connection = self._connection
        current = connection.wire
        if not isinstance(content, bytes):
            data = current.error(invocation, content)
        elif len(content) <= _COPIED:
            data = current.response(invocation, content_type, len(content)) + content
        else:
            connection.write(current.response(invocation, content_type, len(content)))
            data = content
        if poll and len(data) <= _COPIED:
            data += current.next()
            poll = False
        connected = connection.write(data)
        if poll:
            connected = connection.write(current.next())
        if not connected:
            self._wake()  # `run` connects

    # Called by the connection

    def _take(self, event: Invocation | Reply) -> None:
        """Take what has come in.

        Raises:
            RuntimeApiError: the poll was refused.
        """
        if isinstance(event, Invocation):
            if self._connection.wire.state is wire.CLOSED:
                self._connection.close()  # used up: the answer goes out on the next one
            self._busy = True
            self._backoff.reset()
            if self._spares is not None:
                self._began = time.monotonic()
            self._received(event)
        elif event.to is POLL:
            raise poll_refused(event, self._address)
        elif self._stream is not None:
            self._stream.replied(event, early=self._connection.is_behind)
            self._stream = None
        else:
            if not event.accepted and self._unconfirmed is not None:
                log_refusal(self._unconfirmed[0], event, resent=self._resent)
            self._confirmed()
            if self._spares is not None:
                self._go_over(self._spares)
            if self.stopping:
                self._leave()
                self._wake()
            elif self._connection.wire.state is not wire.POLLING:  # the poll did not go out with the answer
                self._advance()

    def _ended(self, error: RuntimeApiError | None) -> None:
        """The connection is gone: an answer that was under way goes out again, once; a stream cannot."""
        if self._stream is not None:
            self._stream.failed(error or ConnectionLost("the connection to the Runtime API has ended"))
            self._stream = None
        if self._unconfirmed is not None:
            if self._resent:
                log_loss(self._unconfirmed[0], error)
                self._confirmed()
                if self._spares is not None:
                    self._go_over(self._spares)
            else:
                self._resent = True
                self._transmit(self._unconfirmed, poll=False)
        self._failure = error
        self._wake()

    def _go_over(self, spares: Spares) -> None:
        """Go on with the connection on which the next poll is out, if there is one."""
        if self._connection.is_ahead:
            self._connection.go_over(spares)
            if self.stopping:
                self._connection.read()  # an event that has already arrived is still handed out
                self._leave()

    def _confirmed(self) -> None:
        self._unconfirmed = None
        if self._settled is not None:
            if not self._settled.done():
                self._settled.set_result(None)
            self._settled = None

    # For AsyncSink

    def answer_early(
        self, invocation: Invocation, body: bytes, content_type: str, *, give_back: bool
    ) -> Awaitable[None]:
        """Send a whole answer while the handler goes on; the result waits until the platform has it.

        With `give_back` the slot polls again at once, and nothing is to follow for this invocation.
        """
        settled = self._settled = self._loop.create_future()
        if give_back:
            self._busy = False
        self._post((invocation, body, content_type), poll=give_back)
        return settled

    def start_stream(self, sink: AsyncSink, invocation: Invocation, content_type: str) -> None:
        """Begin a stream for `sink`; it cannot be sent twice, so first see whether the connection is still there."""
        self._connection.read()
        self._stream = sink
        self.write_stream(self._connection.wire.stream(invocation, content_type))

    def write_stream(self, data: bytes) -> Awaitable[None]:
        """Send bytes of a stream; the result waits while the platform reads too slowly."""
        if not self._connection.write(data):
            self._wake()  # `run` connects
        return self._connection.room() or DONE

    def write_chunk(self, data: bytes) -> Awaitable[None]:
        """Send a piece of a stream, as `write_stream` does."""
        return self.write_stream(self._connection.wire.chunk(data))

    def end_stream(self, report: ErrorReport | None) -> None:
        """End a stream; the sink hears of its reply."""
        self.write_stream(self._connection.wire.stream_end(report))


class AsyncSink:
    """The place of one invocation's response on an asynchronous connection: see `response.Sink`.

    Attributes:
        ended: waits until the platform has taken the stream, or raises what it refused; None before the stream's end.
        detached: the slot was given back with the answer: the handler goes on in the background.
    """

    __slots__ = ("_client", "_detach", "_failure", "_invocation", "detached", "ended")

    def __init__(self, client: AsyncClient, invocation: Invocation, detach: Callable[[], bool] | None = None) -> None:
        """Take an invocation's place; `detach` says whether its handler may go on without a slot when it has answered."""
        self._client = client
        self._invocation = invocation
        self._detach = detach
        self.detached = False
        self._failure: RuntimeApiError | None = None
        self.ended: asyncio.Future[None] | None = None

    def answer(self, body: bytes, content_type: str) -> Awaitable[None]:
        """Send a whole answer now; the result waits until the platform has it."""
        self.detached = self._detach is not None and self._detach()
        return self._client.answer_early(self._invocation, body, content_type, give_back=self.detached)

    def start(self, content_type: str) -> None:
        """Begin a stream."""
        self._client.start_stream(self, self._invocation, content_type)

    def send(self, data: bytes) -> Awaitable[None]:
        """Send a piece of the stream; the result waits while the platform reads too slowly.

        Raises:
            RuntimeApiError: the platform wants no more, or is gone.
        """
        if self._failure is not None:
            raise self._failure
        return self._client.write_chunk(data)

    def end(self, report: ErrorReport | None) -> Awaitable[None]:
        """End the stream; the result waits for the platform's reply and raises what it refused.

        Raises:
            RuntimeApiError: the platform wanted no more before, or is gone.
        """
        if self._failure is not None:
            raise self._failure
        self._client.end_stream(report)
        self.ended = asyncio.get_running_loop().create_future()
        if report is None and self._detach is not None and self._detach():
            self.detached = True
            self._client.resume()
        return _Shielded(self.ended)

    def replied(self, reply: Reply, *, early: bool) -> None:
        """Take the platform's reply: to the whole stream, or before all of it was sent, which is a refusal in any words."""
        if self.ended is None or early or not reply.accepted:
            self.failed(reply.refusal())
        elif not self.ended.done():
            self.ended.set_result(None)

    def failed(self, error: RuntimeApiError) -> None:
        """Take it that the stream did not arrive: every further step fails for this reason."""
        self._failure = self._failure or error
        if self.ended is not None and not self.ended.done():
            self.ended.set_exception(error)
            self.ended.exception()  # nobody has to ask: the runtime may be ending


class _Shielded:
    """Awaits a future that does not end when its waiter is cancelled: the runtime waits for it as well."""

    __slots__ = ("_future",)

    def __init__(self, future: asyncio.Future[None]) -> None:
        self._future = future

    def __await__(self) -> Generator[Any, None, None]:
        return asyncio.shield(self._future).__await__()
