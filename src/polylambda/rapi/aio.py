"""The Runtime API on an event loop: one connection, for one slot.

The counterpart of `blocking`, on raw sockets and readiness callbacks: transports and stream objects cost more than the
whole rest of an invocation. While all goes well nothing is awaited: an event comes in by callback, the answer and the next
poll go out in one write. `run` is the slot's owner: it connects, sends again what a broken connection may have
swallowed, and ends when the slot does.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import deque

from polylambda.errors import ConnectionLost, ProtocolError, Refused, RuntimeApiError
from polylambda.rapi import wire
from polylambda.rapi.address import CONNECT_TIMEOUT
from polylambda.rapi.policy import Backoff, refusal_level
from polylambda.response import DONE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from polylambda.rapi.address import Address
    from polylambda.report import ErrorReport

_log = logging.getLogger("polylambda")

_RECEIVE = 256 * 1024  # bytes a read may bring
_HIGH_WATER = 64 * 1024  # bytes waiting to be sent from which a stream's writer has to wait


class AsyncClient:
    """The Runtime API for one slot on the running loop.

    `received` is called with each invocation; for each, exactly one of `answer`, `error` and `resume` must follow.
    """

    def __init__(
        self, address: Address, received: Callable[[wire.Invocation], None], *, pipelining: bool = True
    ) -> None:
        """Take where the Runtime API listens and what to do with an invocation; nothing is sent yet."""
        self._address = address
        self._received = received
        self._pipelining = pipelining
        self._loop = asyncio.get_running_loop()
        self._sock: socket.socket | None = None
        self._wire = wire.Wire(address.text)
        self._out: deque[memoryview] = deque()
        self._out_size = 0
        self._busy = False  # an invocation was received and its slot not given back
        self._unconfirmed: tuple[wire.Invocation, bytes | ErrorReport, str] | None = None
        self._resent = False
        self._backoff = Backoff()
        self._failure: RuntimeApiError | None = None  # why the last connection was given up
        self._wake = asyncio.Event()
        self._settled: asyncio.Future[None] | None = None
        self._drained: asyncio.Future[None] | None = None
        self._stream: AsyncSink | None = None
        self.stopping = False

    async def run(self) -> None:
        """Keep the slot at work until `stop` was called and its last answer has gone out.

        Raises:
            RuntimeApiError: nothing listens, every connection breaks, or the poll keeps being refused; tried with back-off.
        """
        try:
            while not (self.stopping and not self._busy and self._unconfirmed is None):
                self._wake.clear()
                try:
                    if self._sock is None:
                        await self._connect()
                    self._advance()
                    await self._wake.wait()
                    if self._failure is not None:
                        error, self._failure = self._failure, None
                        raise error
                except RuntimeApiError as error:
                    if self.stopping and self._unconfirmed is None and not self._busy:
                        return
                    await self._pause(self._backoff.after(error, self._loop.time()))
        finally:
            self._drop(None)

    def answer(self, invocation: wire.Invocation, body: bytes, content_type: str) -> None:
        """Send a whole answer, give the slot back, and send the next poll behind it."""
        self._busy = False
        self._post((invocation, body, content_type), poll=True)

    def error(self, invocation: wire.Invocation, report: ErrorReport) -> None:
        """Answer with an error, give the slot back, and send the next poll behind it."""
        self._busy = False
        self._post((invocation, report, ""), poll=True)

    def resume(self) -> None:
        """Give the slot back: the invocation was answered before."""
        self._busy = False
        self._advance()
        if self.stopping:
            self._wake.set()

    def stop(self) -> None:
        """End `run`: at once while no invocation is under way, else after its answer."""
        self.stopping = True
        outstanding = self._wire.outstanding
        if self._sock is not None and len(outstanding) == 1 and outstanding[0][0] is wire.NEXT:
            # What has already arrived is still read, so an event that was handed to this poll is not lost.
            try:
                self._sock.shutdown(socket.SHUT_RD)
            except OSError:
                pass  # the other side was quicker
        self._wake.set()

    # The connection

    async def _connect(self) -> None:
        reason: object = "it has no address"
        for family, address in self._address.resolve():
            sock = socket.socket(family, socket.SOCK_STREAM)
            try:
                sock.setblocking(False)
                async with asyncio.timeout(CONNECT_TIMEOUT):
                    await self._loop.sock_connect(sock, address)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except (OSError, TimeoutError) as error:
                sock.close()
                reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            except BaseException:
                sock.close()
                raise
            else:
                self._sock = sock
                self._wire = wire.Wire(self._address.text)
                self._loop.add_reader(sock.fileno(), self._readable)
                return
        raise ConnectionLost(f"no Runtime API at {self._address.text} (AWS_LAMBDA_RUNTIME_API): {reason}")

    def _drop(self, error: RuntimeApiError | None) -> None:
        """Close the connection; `run` opens the next one, after a pause if there was an error."""
        sock, self._sock = self._sock, None
        if sock is None:
            return
        self._loop.remove_reader(sock.fileno())
        if self._out:
            self._loop.remove_writer(sock.fileno())
        sock.close()
        lost = bool(self._wire.outstanding)
        self._wire.outstanding.clear()
        self._out.clear()
        self._out_size = 0
        if self._stream is not None:
            self._stream.failed(error or ConnectionLost("the Runtime API closed the connection"))
            self._stream = None
        self._release(self._drained, None)
        if self._resent and self._unconfirmed is not None and lost:
            _log.error("the answer to %s was lost: %s", self._unconfirmed[0].request_id, error)
            self._confirmed()
        self._failure = error
        self._wake.set()

    async def _pause(self, seconds: float) -> None:
        self._wake.clear()
        try:
            async with asyncio.timeout(seconds):
                while not self.stopping:
                    await self._wake.wait()
                    self._wake.clear()
        except TimeoutError:
            pass

    def _advance(self) -> None:
        """Send what is due: an answer that a broken connection may have swallowed, or the next poll."""
        if self._sock is None or self._wire.closed:
            self._wake.set()
            return
        outstanding = self._wire.outstanding
        if self._unconfirmed is not None and not outstanding:
            self._resent = True
            self._transmit(self._unconfirmed, poll=False)
        elif self._busy or self.stopping:
            return
        elif not outstanding or (self._pipelining and outstanding[-1][0] is not wire.NEXT):
            self._write(self._wire.next())

    def _post(self, answer: tuple[wire.Invocation, bytes | ErrorReport, str], *, poll: bool) -> None:
        self._unconfirmed = answer
        self._resent = False
        if self._sock is None or self._wire.closed:
            self._wake.set()  # `run` connects and sends it
        else:
            self._transmit(answer, poll=poll and self._pipelining and not self.stopping)

    def _transmit(self, answer: tuple[wire.Invocation, bytes | ErrorReport, str], *, poll: bool) -> None:
        invocation, content, content_type = answer
        if isinstance(content, bytes):
            data = self._wire.response(invocation, content_type, len(content))
            if len(content) > _HIGH_WATER:
                self._write(data)
                data = content
            else:
                data += content
        else:
            data = self._wire.error(invocation, content)
        if poll:
            data += self._wire.next()
        self._write(data)

    def _write(self, data: bytes) -> None:
        sock = self._sock
        if sock is None:
            return
        if not self._out:
            try:
                sent = sock.send(data)
            except (BlockingIOError, InterruptedError):
                sent = 0
            except OSError:
                # The reader finds out why: what the platform said before it stopped listening, or that it is gone.
                return
            if sent == len(data):
                return
            self._loop.add_writer(sock.fileno(), self._writable)
            self._out.append(memoryview(data)[sent:])
            self._out_size += len(data) - sent
        else:
            self._out.append(memoryview(data))
            self._out_size += len(data)

    def _writable(self) -> None:
        sock = self._sock
        assert sock is not None
        try:
            while self._out:
                sent = sock.send(self._out[0])
                self._out_size -= sent
                if sent < len(self._out[0]):
                    self._out[0] = self._out[0][sent:]
                    break
                self._out.popleft()
        except (BlockingIOError, InterruptedError):
            pass
        except OSError:
            self._out.clear()  # see _write
            self._out_size = 0
        if not self._out:
            self._loop.remove_writer(sock.fileno())
        if self._out_size <= _HIGH_WATER:
            self._release(self._drained, None)

    def _readable(self) -> None:
        sock = self._sock
        if sock is None:
            return
        current = self._wire
        try:
            data = sock.recv(_RECEIVE)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._drop(ConnectionLost(f"the connection to the Runtime API broke: {error}"))
            return
        try:
            current.receive(data)
            while (event := current.next_event()) is not None:
                self._dispatch(event)
                if self._sock is not sock:
                    return
            if current.closed:
                # An orderly end between two replies is no failure unless something was under way.
                gone = ConnectionLost(f"the Runtime API at {self._address.text} closed the connection")
                self._drop(gone if current.outstanding else None)
        except RuntimeApiError as error:
            self._drop(error)

    def _dispatch(self, event: wire.Invocation | wire.Reply) -> None:
        if isinstance(event, wire.Invocation):
            if not event.request_id:
                raise ProtocolError("the platform sent an event without an id (Lambda-Runtime-Aws-Request-Id)")
            self._busy = True
            self._backoff.reset()
            self._received(event)
            return
        refusal = None if event.accepted else Refused(event.status, *event.reason())
        if event.to is wire.NEXT:
            raise refusal or ProtocolError(f"status {event.status} to a poll")
        if self._out:
            self._wire.closed = True  # it replied to a request that was not sent to its end
        if self._stream is not None:
            self._stream.replied(refusal)
            self._stream = None
            self._drop(None)  # the platform demands a new connection after a stream
            return
        if refusal is not None:
            _log.log(
                refusal_level(event, resent=self._resent), "the answer to %s was refused: %s", event.request_id, refusal
            )
        self._confirmed()
        if not self._wire.closed:
            self._advance()

    def _confirmed(self) -> None:
        self._unconfirmed = None
        self._release(self._settled, None)
        if self.stopping:
            self._wake.set()

    @staticmethod
    def _release(future: asyncio.Future[None] | None, error: Exception | None) -> None:
        if future is not None and not future.done():
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)

    # For AsyncSink

    def answer_early(self, invocation: wire.Invocation, body: bytes, content_type: str) -> Awaitable[None]:
        """Send a whole answer while the handler goes on; the result waits until the platform has it."""
        self._settled = self._loop.create_future()
        self._post((invocation, body, content_type), poll=False)
        return self._settled

    def open_stream(self, sink: AsyncSink, invocation: wire.Invocation, content_type: str) -> None:
        """Begin a stream for `sink`.

        Raises:
            ConnectionLost: the connection broke while the handler was at work.
        """
        if self._sock is None or self._wire.closed:
            raise ConnectionLost(f"the Runtime API at {self._address.text} closed the connection")
        self._stream = sink
        self._write(self._wire.stream(invocation, content_type))

    def write_stream(self, data: bytes) -> Awaitable[None]:
        """Send bytes of the stream; the result waits while the platform reads too slowly."""
        self._write(data)
        if self._out_size <= _HIGH_WATER:
            return DONE
        if self._drained is None or self._drained.done():
            self._drained = self._loop.create_future()
        return self._drained


class AsyncSink:
    """The place of one invocation's response on an asynchronous connection: see `response.Sink`."""

    __slots__ = ("_client", "_failure", "_invocation", "ended")

    def __init__(self, client: AsyncClient, invocation: wire.Invocation) -> None:
        self._client = client
        self._invocation = invocation
        self._failure: RuntimeApiError | None = None
        self.ended: asyncio.Future[None] | None = None  # when the platform has taken the stream

    def answer(self, body: bytes, content_type: str) -> Awaitable[None]:
        """Send a whole answer now; the result waits until the platform has it."""
        return self._client.answer_early(self._invocation, body, content_type)

    def start(self, content_type: str) -> None:
        """Begin a stream.

        Raises:
            ConnectionLost: the connection broke while the handler was at work.
        """
        self._client.open_stream(self, self._invocation, content_type)

    def send(self, data: bytes) -> Awaitable[None]:
        """Send a piece of the stream; the result waits while the platform reads too slowly.

        Raises:
            RuntimeApiError: the platform wants no more, or is gone.
        """
        if self._failure is not None:
            raise self._failure
        return self._client.write_stream(wire.Wire.chunk(data))

    def end(self, report: ErrorReport | None) -> Awaitable[None]:
        """End the stream; the result waits for the platform's reply and raises what it refused."""
        if self._failure is not None:
            raise self._failure
        self._client.write_stream(wire.Wire.stream_end(report))
        self.ended = asyncio.get_running_loop().create_future()
        return self.ended

    def replied(self, refusal: RuntimeApiError | None) -> None:
        """Take the platform's reply to the stream: success after its end, or a refusal at any time."""
        if self.ended is None:
            self._failure = refusal or ProtocolError("the Runtime API replied to a stream before its end")
        elif not self.ended.done():
            if refusal is None:
                self.ended.set_result(None)
            else:
                self.ended.set_exception(refusal)

    def failed(self, error: RuntimeApiError) -> None:
        """Take it that the connection is gone."""
        self._failure = self._failure or error
        if self.ended is not None and not self.ended.done():
            self.ended.set_exception(error)
