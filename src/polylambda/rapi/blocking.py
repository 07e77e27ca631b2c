"""The Runtime API for a slot that has a thread of its own.

A thin shell around a connection and its `wire`: it asks, answers, connects again, and says in the log what the platform refused.
Nothing the platform replies to an answer takes the runtime down: the invocation is over, and the next one comes.
"""

from __future__ import annotations

import time

from polylambda.errors import ConnectionLost, RuntimeApiError
from polylambda.rapi import wire
from polylambda.rapi.blocking_connection import BlockingConnection
from polylambda.rapi.events import POLL, Invocation, Reply
from polylambda.response import DONE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable

    from polylambda.rapi.address import Address
    from polylambda.rapi.keeper import Keeper
    from polylambda.rapi.policy import Backoff
    from polylambda.report import ErrorReport

_COPIED = (
    112 * 1024
)  # bytes; a larger body is sent behind its head, for the copy would be in memory that is mapped anew

# Seconds from which an invocation is long: below it, two more system calls cost more than the gap before the next poll.
_LONG = 0.001


def _policy():
    """Return what failures need: environments start without it."""
    from polylambda.rapi import policy

    return policy


class BlockingClient:
    """The Runtime API for one slot: `next`, then one of `answer`, `error` or a `BlockingSink`, then `next` again.

    `stop` may be called from a signal handler or another thread; everything else belongs to the slot's own thread.

    Attributes:
        stopping: `stop` was called.
    """

    def __init__(
        self, address: Address, *, pipelining: bool = True, poll_first: bool = False, keeper: Keeper | None = None
    ) -> None:
        """Take where the Runtime API listens; nothing is sent yet.

        Args:
            address: the Runtime API's.
            pipelining: send an answer and the next poll in one write.
            poll_first: where an invocation took long, send the next poll before its answer, on a second connection; only
                for environments with several slots, and with `pipelining`.
            keeper: hears of every step.
        """
        self._address = address
        self._pipelining = pipelining
        self._poll_first = poll_first
        self._began = 0.0  # when the invocation came, if that matters, in seconds of the steady clock
        self._connection = BlockingConnection(address, keeper)
        self._unconfirmed: tuple[Invocation, bytes | ErrorReport, str] | None = None  # an answer without its reply
        self._resent = False  # it was sent a second time
        self.stopping = False

    def next(self) -> Invocation | None:
        """Wait for the next invocation, for as long as it takes; None after `stop`.

        Raises:
            ConnectionLost: nothing listens, or every connection breaks; tried with back-off.
            Refused: the platform keeps refusing the poll.
            ProtocolError: what listens does not speak HTTP.
        """
        backoff: Backoff | None = None
        while True:
            try:
                invocation = self._poll()
                if self._poll_first:
                    self._began = time.monotonic()
                return invocation
            except RuntimeApiError as error:
                self._lose(error)
                if self.stopping and not self._connection.is_ahead:
                    self.settle()
                    return None
                backoff = backoff or _policy().Backoff()
                self._pause(backoff.after(error, time.monotonic()))

    def answer(self, invocation: Invocation, body: bytes, content_type: str, *, poll: bool) -> None:
        """Send a whole answer, and with `poll` the next poll behind it."""
        self._post((invocation, body, content_type), poll=poll)

    def error(self, invocation: Invocation, report: ErrorReport, *, poll: bool) -> None:
        """Answer with an error, and with `poll` send the next poll behind it."""
        self._post((invocation, report, ""), poll=poll)

    def settle(self) -> None:
        """Wait until the platform has taken the answer that was sent, or refused it."""
        while self._unconfirmed is not None:
            try:
                if self._connection.quiet:
                    self._resend()
                self._confirm(self._connection.read_reply())
            except RuntimeApiError as error:
                self._lose(error)

    def stop(self) -> None:
        """End `next`: at once while it waits for an event, else when the answer under way has gone out.

        An event that has already arrived is still returned.
        """
        self.stopping = True
        self._connection.shut()

    def close(self) -> None:
        """Close what is open."""
        self._connection.close_both()

    # For BlockingSink

    def start_stream(self, invocation: Invocation, content_type: str) -> None:
        """Begin a streamed answer; it cannot be sent twice, so first see whether the connection is still there.

        Raises:
            RuntimeApiError: the platform cannot be reached.
        """
        if self._connection.is_stale():
            self._connection.close()
        self._send_piece(self._connect().stream(invocation, content_type))

    def write_stream(self, data: bytes) -> None:
        """Send a piece of a streamed answer.

        Raises:
            Refused: the platform has already replied: it wants no more.
            ConnectionLost: the connection broke, now or before.
        """
        self._send_piece(self._stream().chunk(data))

    def end_stream(self, report: ErrorReport | None) -> None:
        """End a streamed answer and wait for its reply; the connection is closed behind it, as the platform demands.

        Raises:
            RuntimeApiError: the platform refused the stream, or cannot be reached.
        """
        try:
            self._send_piece(self._stream().stream_end(report))
            reply = self._connection.read_reply()
        finally:
            self._connection.close()
        if not reply.accepted:
            raise reply.refusal()

    def _stream(self) -> wire.Wire:
        current = self._connection.wire
        if current.state is not wire.STREAMING:
            raise ConnectionLost("the stream was cut short before: the platform takes no more of it")
        return current

    def _send_piece(self, data: bytes) -> None:
        connection = self._connection
        try:
            connection.send(data)
            if isinstance(connection.early, Reply):
                raise connection.early.refusal()
        except RuntimeApiError:
            connection.close()
            raise

    # The slot

    def _poll(self) -> Invocation | None:
        """One attempt to get an event; None when stopping.

        Raises:
            RuntimeApiError: it failed.
        """
        connection = self._connection
        while True:
            if connection.quiet:
                if self._unconfirmed is not None:
                    self._resend()
                elif connection.is_ahead:
                    connection.go_over()
                elif self.stopping:
                    return None
                else:
                    connection.send(self._connect().next())
            connection.waiting = connection.awaits_event
            if self.stopping:
                connection.shut()
            event = connection.read()
            connection.waiting = False
            if isinstance(event, Invocation):
                if self.stopping:
                    connection.wire.close()  # `stop` may have shut it for reading: the answer needs another
                return event
            if event.to is POLL:
                raise _policy().poll_refused(event, self._address)
            self._confirm(event)

    def _post(self, answer: tuple[Invocation, bytes | ErrorReport, str], *, poll: bool) -> None:
        self._unconfirmed = answer
        self._resent = False
        poll = poll and self._pipelining and not self.stopping
        if poll and self._poll_first and time.monotonic() - self._began >= _LONG:
            content = answer[1]
            if not isinstance(content, bytes) or len(content) <= _COPIED:
                poll = not self._connection.poll_ahead()
        try:
            self._transmit(answer, poll=poll)
        except RuntimeApiError as error:
            self._lose(error)

    def _resend(self) -> None:
        """Send the answer again that a broken connection may have swallowed; the platform takes it once."""
        assert self._unconfirmed is not None
        self._resent = True
        self._transmit(self._unconfirmed, poll=False)

    def _transmit(self, answer: tuple[Invocation, bytes | ErrorReport, str], *, poll: bool) -> None:
        invocation, content, content_type = answer
        connection = self._connection
        current = connection.wire if connection.wire.state is wire.IDLE else self._connect()
        if not isinstance(content, bytes):
            data = current.error(invocation, content)
        elif len(content) <= _COPIED:
            data = current.response(invocation, content_type, len(content)) + content
        else:
            connection.send(current.response(invocation, content_type, len(content)))
            data = content
        if poll and len(data) <= _COPIED:
            data += current.next()
            poll = False
        connection.send(data)
        if poll and connection.early is None:
            connection.send(current.next())

    def _confirm(self, reply: Reply) -> None:
        """Take the platform's reply to an answer; a refusal is logged and that is all."""
        if not reply.accepted and self._unconfirmed is not None:
            _policy().log_refusal(self._unconfirmed[0], reply, resent=self._resent)
        self._unconfirmed = None

    def _lose(self, error: RuntimeApiError) -> None:
        """Give a connection up; an answer that was under way is kept for one more try."""
        self._connection.close()
        if self._resent and self._unconfirmed is not None:
            _policy().log_loss(self._unconfirmed[0], error)
            self._unconfirmed = None

    def _pause(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while not self.stopping and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, 0.1))

    def _connect(self) -> wire.Wire:
        """Return the protocol state of an idle connection. Raises ConnectionLost."""
        return self._connection.open(self._is_stopping)

    def _is_stopping(self) -> bool:
        return self.stopping


class BlockingSink:
    """The place of one invocation's response on a blocking connection: see `response.Sink`."""

    __slots__ = ("_client", "_invocation")

    def __init__(self, client: BlockingClient, invocation: Invocation) -> None:
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
        self._client.start_stream(self._invocation, content_type)

    def send(self, data: bytes) -> Awaitable[None]:
        """Send a piece of the stream.

        Raises:
            RuntimeApiError: the platform wants no more, or cannot be reached.
        """
        self._client.write_stream(data)
        return DONE

    def end(self, report: ErrorReport | None) -> Awaitable[None]:
        """End the stream; the connection is closed behind it, as the platform demands.

        Raises:
            RuntimeApiError: the platform refused the stream, or cannot be reached.
        """
        self._client.end_stream(report)
        return DONE
