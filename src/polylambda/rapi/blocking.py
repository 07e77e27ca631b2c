"""The Runtime API over a blocking socket: one connection, for one slot.

A thin shell around `wire`: it sends, receives, connects again, and says in the log what the platform refused. Nothing the
platform answers to a response takes the runtime down: the invocation is over, and the next one comes.
"""

from __future__ import annotations

import _socket
import logging
import select
import time

from polylambda.errors import ConnectionLost, ProtocolError, Refused, RuntimeApiError
from polylambda.rapi import wire
from polylambda.rapi.policy import Backoff, refusal_level
from polylambda.response import DONE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable

    from polylambda.rapi.address import Address
    from polylambda.report import ErrorReport

_log = logging.getLogger("polylambda")

_RECEIVE = 256 * 1024  # bytes a read may bring
_COPIED = 64 * 1024  # bytes; a larger body is sent behind its head, not copied next to it


class BlockingClient:
    """The Runtime API for one slot: `next`, then one of `answer`, `error` or a `BlockingSink`, then `next` again.

    `stop` may be called from a signal handler or another thread; everything else belongs to the slot's own thread.
    """

    def __init__(self, address: Address, *, pipelining: bool = True) -> None:
        """Take where the Runtime API listens; nothing is sent yet.

        Args:
            address: the Runtime API's.
            pipelining: send an answer and the next poll in one write.
        """
        self._address = address
        self._pipelining = pipelining
        self._sock: _socket.socket | None = None
        self._wire = wire.Wire(address.text)
        self._early: wire.Reply | None = None  # the reply to a request that was not sent to its end
        self._unconfirmed: tuple[wire.Invocation, bytes | ErrorReport, str] | None = None
        self._resent = False
        self._waiting = False  # for an event, with nothing else under way
        self.stopping = False

    def next(self) -> wire.Invocation | None:
        """Wait for the next invocation, for as long as it takes; None after `stop`.

        Raises:
            ConnectionLost: nothing listens, or every connection breaks; tried with back-off.
            Refused: the platform keeps refusing the poll.
            ProtocolError: what listens does not speak HTTP.
        """
        backoff: Backoff | None = None
        while True:
            try:
                event = self._poll()
                if isinstance(event, wire.Reply):
                    raise Refused(event.status, *event.reason())
            except RuntimeApiError as error:
                self._drop()
                if self.stopping:
                    self.settle()
                    return None
                backoff = backoff or Backoff()
                self._pause(backoff.after(error, time.monotonic()))
            else:
                return event

    def answer(self, invocation: wire.Invocation, body: bytes, content_type: str, *, poll: bool) -> None:
        """Send a whole answer, and with `poll` the next poll behind it."""
        self._post((invocation, body, content_type), poll)

    def error(self, invocation: wire.Invocation, report: ErrorReport, *, poll: bool) -> None:
        """Answer with an error, and with `poll` send the next poll behind it."""
        self._post((invocation, report, ""), poll)

    def settle(self) -> None:
        """Wait until the platform has taken the answer that was sent, or refused it."""
        while self._unconfirmed is not None:
            try:
                self._resend()
                self._confirm(self._read())
            except RuntimeApiError as error:
                self._lost(error)

    def connect(self, *, checked: bool = False) -> wire.Wire:
        """Return the protocol state of a connection that can be written to, opening one if need be.

        With `checked`, an open one is asked whether the other side has closed it: a stream cannot be sent twice.

        Raises:
            ConnectionLost: nothing listens.
        """
        if self._sock is None or self._wire.closed or (checked and _is_stale(self._sock)):
            self._drop()
            self._sock = self._address.connect(lambda: self.stopping)
            self._wire = wire.Wire(self._address.text)
        return self._wire

    def call(self, request: bytes) -> wire.Reply:
        """Send `request`, made by the `Wire` that `connect` returned, and return its reply.

        For everything but polls and answers.

        Raises:
            RuntimeApiError: there is no reply.
        """
        self.post(request)
        reply = self._read()
        if not isinstance(reply, wire.Reply):
            raise ProtocolError("the Runtime API sent an event that was not asked for")
        return reply

    def post(self, request: bytes) -> None:
        """Send `request` as `call` does, but do not wait for its reply.

        Raises:
            ConnectionLost: the connection broke.
        """
        self._send(request)

    def send_stream(self, data: bytes) -> None:
        """Send bytes of a streamed answer.

        Raises:
            Refused: the platform has already replied: it wants no more.
            ConnectionLost: the connection broke.
        """
        self._send(data)
        if self._early is not None:
            raise Refused(self._early.status, *self._early.reason())

    def stop(self) -> None:
        """End `next`: at once while it waits for an event, else when the answer under way has gone out."""
        self.stopping = True
        if self._waiting and self._sock is not None:
            # What has already arrived is still read, so an event that was handed to this poll is not lost.
            try:
                self._sock.shutdown(_socket.SHUT_RD)
            except OSError:
                pass  # the other side was quicker

    def close(self) -> None:
        """Close the connection."""
        self._drop()

    def _poll(self) -> wire.Invocation | wire.Reply | None:
        """One attempt to get an event: the event, a refused poll, or None when stopping."""
        self._resend()
        while True:
            outstanding = self._wire.outstanding
            if not outstanding and self._early is None:
                if self.stopping:
                    return None
                self._send(self.connect().next())
                outstanding = self._wire.outstanding
            self._waiting = self._early is None and outstanding[0][0] is wire.NEXT
            if self._waiting and self.stopping:
                self.stop()
            event = self._read()
            self._waiting = False
            if isinstance(event, wire.Invocation):
                if event.request_id:
                    return event
                raise ProtocolError("the platform sent an event without an id (Lambda-Runtime-Aws-Request-Id)")
            if event.to is wire.NEXT:
                return event
            self._confirm(event)

    def _post(self, answer: tuple[wire.Invocation, bytes | ErrorReport, str], poll: bool) -> None:
        self._unconfirmed = answer
        self._resent = False
        try:
            self._transmit(answer, poll and self._pipelining and not self.stopping)
        except RuntimeApiError as error:
            self._lost(error)

    def _transmit(self, answer: tuple[wire.Invocation, bytes | ErrorReport, str], poll: bool) -> None:
        invocation, content, content_type = answer
        current = self.connect()
        if isinstance(content, bytes):
            head = current.response(invocation, content_type, len(content))
        else:
            head, content = current.error(invocation, content), b""
        if len(content) <= _COPIED:
            self._send(head + content + current.next() if poll else head + content)
            return
        for part in (head, content):
            self._send(part)
        if poll and self._early is None:
            self._send(current.next())

    def _resend(self) -> None:
        """Send the answer again that a broken connection may have swallowed; the platform takes it once."""
        if self._unconfirmed is not None and not self._wire.outstanding and self._early is None:
            self._resent = True
            self._transmit(self._unconfirmed, False)

    def _confirm(self, reply: wire.Invocation | wire.Reply) -> None:
        """Take the platform's reply to an answer; a refusal is logged and that is all."""
        if not isinstance(reply, wire.Reply):
            raise ProtocolError("the Runtime API sent an event before it took the answer to the last one")
        self._unconfirmed = None
        if not reply.accepted:
            level = refusal_level(reply, resent=self._resent)
            _log.log(
                level, "the answer to %s was refused: %s", reply.request_id, Refused(reply.status, *reply.reason())
            )
        if self._wire.closed:
            self._drop()

    def _lost(self, error: RuntimeApiError) -> None:
        """A connection broke with an answer under way: keep the answer for one more try."""
        self._drop()
        if self._resent and self._unconfirmed is not None:
            _log.error("the answer to %s was lost: %s", self._unconfirmed[0].request_id, error)
            self._unconfirmed = None

    def _drop(self) -> None:
        sock, self._sock = self._sock, None
        self._waiting = False
        self._early = None
        self._wire.outstanding.clear()
        if sock is not None:
            sock.close()

    def _pause(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while not self.stopping and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, 0.1))

    def _read(self) -> wire.Invocation | wire.Reply:
        """The next event of the connection."""
        if self._early is not None:
            reply, self._early = self._early, None
            return reply
        current = self._wire
        sock = self._sock
        while True:
            event = current.next_event()
            if event is not None:
                return event
            if current.closed or sock is None:
                raise ConnectionLost(f"the Runtime API at {self._address.text} closed the connection")
            try:
                data = sock.recv(_RECEIVE)
            except OSError as error:
                raise ConnectionLost(f"the connection to the Runtime API broke: {error}") from error
            current.receive(data)

    def _send(self, data: bytes) -> None:
        """Send all of `data`, unless the platform replies before it has it: then `_early` is its reply."""
        sock = self._sock
        if sock is None:
            raise ConnectionLost(f"the Runtime API at {self._address.text} closed the connection")
        try:
            sent = sock.send(data, _socket.MSG_DONTWAIT)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            # What the platform said before it stopped listening explains why it did.
            if self._read_early(sock):
                return
            raise ConnectionLost(f"the connection to the Runtime API broke: {error}") from error
        if sent == len(data):
            return
        rest = memoryview(data)[sent:]
        ready = select.poll()
        ready.register(sock.fileno(), select.POLLIN | select.POLLOUT)
        while rest:
            events = ready.poll()[0][1]
            if events & ~select.POLLOUT and self._read_early(sock):
                return
            try:
                rest = rest[sock.send(rest, _socket.MSG_DONTWAIT) :]
            except BlockingIOError:
                continue
            except OSError as error:
                if self._read_early(sock):
                    return
                raise ConnectionLost(f"the connection to the Runtime API broke: {error}") from error

    def _read_early(self, sock: _socket.socket) -> bool:
        """Read the reply to a request that was not sent to its end; nothing can follow it on this connection."""
        current = self._wire
        try:
            while True:
                event = current.next_event()
                if isinstance(event, wire.Reply):
                    self._early = event
                    current.closed = True
                    current.outstanding.clear()
                    return True
                data = sock.recv(_RECEIVE)
                if not data:
                    return False
                current.receive(data)
        except (OSError, ProtocolError):
            return False


def _is_stale(sock: _socket.socket) -> bool:
    try:
        return not sock.recv(1, _socket.MSG_PEEK | _socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except OSError:
        return True


class BlockingSink:
    """The place of one invocation's response on a blocking connection: see `response.Sink`."""

    __slots__ = ("_client", "_invocation")

    def __init__(self, client: BlockingClient, invocation: wire.Invocation) -> None:
        self._client = client
        self._invocation = invocation

    def answer(self, body: bytes, content_type: str) -> Awaitable[None]:
        """Send a whole answer and wait until the platform has it."""
        self._client.answer(self._invocation, body, content_type, poll=False)
        self._client.settle()
        return DONE

    def start(self, content_type: str) -> None:
        """Begin a stream.

        Raises:
            RuntimeApiError: the platform cannot be reached.
        """
        self._client.send_stream(self._client.connect(checked=True).stream(self._invocation, content_type))

    def send(self, data: bytes) -> Awaitable[None]:
        """Send a piece of the stream.

        Raises:
            RuntimeApiError: the platform wants no more, or cannot be reached.
        """
        self._client.send_stream(wire.Wire.chunk(data))
        return DONE

    def end(self, report: ErrorReport | None) -> Awaitable[None]:
        """End the stream; the connection is closed behind it, as the platform demands.

        Raises:
            RuntimeApiError: the platform refused the stream, or cannot be reached.
        """
        try:
            reply = self._client.call(wire.Wire.stream_end(report))
        finally:
            self._client.close()
        if not reply.accepted:
            raise Refused(reply.status, *reply.reason())
        return DONE
