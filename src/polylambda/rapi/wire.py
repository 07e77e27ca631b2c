"""The Runtime API as one connection sees it, without the connection.

`Wire` turns calls into bytes to send, and received bytes into events; it has no socket and no clock. Replies come in the
order of their requests, so a poll may be sent behind an answer without waiting for the answer's reply (pipelining,
RFC 9112, section 9.3.2), and that is as far ahead as we send. So one word says where a connection stands:

    IDLE        nothing is under way
    POLLING     a poll waits for its event, for as long as it takes
    ANSWERED    an answer was sent, its reply is to come
    AHEAD       the same, and the next poll was sent behind the answer
    STREAMING   an answer is being sent piece by piece
    ENDED       it was sent to its end, its reply is to come
    CALLING     any other request was sent, its reply is to come
    CLOSED      the connection is used up; what had no reply yet gets none

`_SENT` says what may be sent when, `_REPLIED` what a reply is the reply to. What to do about a refusal, a lost connection or a
slow server is for the drivers, `blocking` and `aio`.
"""

from __future__ import annotations

from functools import cache

from polylambda.errors import ConnectionLost, LocalProtocolError, ProtocolError
from polylambda.rapi import h1
from polylambda.rapi import headers as names
from polylambda.rapi.events import ANSWER, CALL, POLL, Invocation, Reply

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from polylambda.rapi.familiar import FamiliarHead
    from polylambda.report import ErrorReport

IDLE: Final = "idle"
POLLING: Final = "polling"
ANSWERED: Final = "answered"
AHEAD: Final = "ahead"
STREAMING: Final = "streaming"
ENDED: Final = "ended"
CALLING: Final = "calling"
CLOSED: Final = "closed"

# Besides whole requests (POLL, ANSWER, CALL), the pieces of one.
STREAM: Final = "stream"
CHUNK: Final = "chunk"
END: Final = "end"

READ_SIZE: Final = 64 * 1024  # bytes at a time; from 128 KiB on the C library maps memory for every read
_SENT: Final[dict[str, dict[str, str]]] = {
    POLL: {IDLE: POLLING, ANSWERED: AHEAD},
    ANSWER: {IDLE: ANSWERED},
    STREAM: {IDLE: STREAMING},
    CHUNK: {STREAMING: STREAMING},
    END: {STREAMING: ENDED},
    CALL: {IDLE: CALLING},
}
_ANSWER_STATUSES: Final = (202, 400, 410)  # which no poll is replied to with
_REPLIED: Final[dict[str, tuple[str, str]]] = {
    POLLING: (POLL, IDLE),
    ANSWERED: (ANSWER, IDLE),
    AHEAD: (ANSWER, POLLING),
    STREAMING: (ANSWER, CLOSED),  # it came early: the rest of the stream has nowhere to go
    ENDED: (ANSWER, CLOSED),  # the platform wants a new connection after a stream
    CALLING: (CALL, IDLE),
}

_MAX_FAMILIAR: Final = 32  # the rest is parsed every time
_familiar: dict[int, FamiliarHead] = {}  # heads of events that were parsed, by their length
_shortest = 0  # bytes before which the empty line at the end of none of them is
_accepted: tuple[bytes, Reply] | None = None  # the last reply to an answer that came in one piece, on any connection


class Wire:
    """The protocol state of one connection: make a new one for every connection.

    Call the methods named after requests to get the bytes to send; what may not be sent in the present state raises
    `LocalProtocolError` and changes nothing. Give received bytes to `receive` and take events from `next_event` until it
    returns None, which means that more bytes are needed, or that the connection is closed.

    Attributes:
        state: where the connection stands: see the module's docstring.
    """

    __slots__ = (
        "_body",
        "_buffer",
        "_eof",
        "_foreign",
        "_head",
        "_host",
        "_next",
        "_parts",
        "_scanned",
        "_suffix",
        "state",
    )

    def __init__(self, host: str) -> None:
        """Take `host`, the value of the Host header: `AWS_LAMBDA_RUNTIME_API` as it was given."""
        self.state = IDLE
        self._host = host
        self._suffix, self._next = _texts_for(host)
        self._buffer: bytes | bytearray = b""  # received, and not yet read
        self._scanned = 0  # bytes of the buffer in which the end of a head cannot begin
        self._eof = False
        self._foreign = False  # the reply to an answer that is not ours may come first
        self._head: tuple[int, bool, dict[str, str]] | None = None  # of the reply whose body is being read
        self._body: h1.FixedBody | h1.ChunkedBody | h1.ClosedBody | None = None
        self._parts: list[bytes] = []

    @property
    def receiving(self) -> bool:
        """A reply has begun to come in, and is not whole."""
        return self._head is not None or bool(self._buffer)

    @property
    def low_water(self) -> int:
        """How many bytes are worth waking up for: more than the reply to an answer, if its poll went out behind it."""
        return 1 if _accepted is None or self.state is not AHEAD or self.receiving else len(_accepted[0]) + 1

    def adopt(self, received: bytes = b"") -> None:
        """Take over a connection on which another's poll is out, and what has come; the reply to an answer is passed over."""
        self.state = self._after(POLL)
        self._foreign, self._buffer = True, received

    def close(self) -> None:
        """Give the connection up: what is outstanding gets no reply, and nothing can be sent."""
        self.state = CLOSED

    # Requests

    def next(self) -> bytes:
        """Ask for the next invocation."""
        self.state = AHEAD if self.state is ANSWERED else self._after(POLL)  # it is, nearly always
        return self._next

    def response(self, invocation: Invocation, content_type: str, length: int) -> bytes:
        """Begin a buffered answer of `length` bytes, which are to be sent behind what this returns."""
        self.state = ANSWERED if self.state is IDLE else self._after(ANSWER)
        return (
            f"POST {names.INVOCATION_PATH}{invocation.request_id}/response{self._suffix}{_echo(invocation)}"
            f"Content-Type: {h1.media_type(content_type)}\r\nContent-Length: {length}\r\n\r\n"
        ).encode()

    def error(self, invocation: Invocation, report: ErrorReport) -> bytes:
        """Answer an invocation with an error, whole."""
        self.state = self._after(ANSWER)
        return self._error(f"{names.INVOCATION_PATH}{invocation.request_id}/error", report, _echo(invocation))

    def stream(self, invocation: Invocation, content_type: str) -> bytes:
        """Begin a streamed answer: `chunk` and `stream_end` follow. The connection is used up afterwards."""
        self.state = self._after(STREAM)
        return (
            f"POST {names.INVOCATION_PATH}{invocation.request_id}/response{self._suffix}{_echo(invocation)}"
            f"Content-Type: {h1.media_type(content_type)}\r\nLambda-Runtime-Function-Response-Mode: streaming\r\n"
            "Transfer-Encoding: chunked\r\n"
            "Trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body\r\n\r\n"
        ).encode()

    def chunk(self, data: bytes) -> bytes:
        """Frame a piece of a stream; nothing for an empty one, which would end it."""
        self.state = self._after(CHUNK)
        return b"%x\r\n%b\r\n" % (len(data), data) if data else b""

    def stream_end(self, report: ErrorReport | None = None) -> bytes:
        """End a stream, with the error that cut it short if there is one."""
        self.state = self._after(END)
        if report is None:
            return b"0\r\n\r\n"
        from binascii import b2a_base64

        body = b2a_base64(report.body(), newline=False).decode()
        return (
            f"0\r\nLambda-Runtime-Function-Error-Type: {report.function_error_type}\r\n"
            f"Lambda-Runtime-Function-Error-Body: {body}\r\n\r\n"
        ).encode()

    def init_error(self, report: ErrorReport) -> bytes:
        """Tell the platform that the runtime could not start."""
        self.state = self._after(CALL)
        return self._error(names.INIT_ERROR_PATH, report, "")

    def restore_next(self) -> bytes:
        """Ask to be told when a snapshot has been restored (SnapStart)."""
        self.state = self._after(CALL)
        return f"GET {names.RESTORE_NEXT_PATH}{self._suffix}\r\n".encode()

    def restore_error(self, report: ErrorReport) -> bytes:
        """Tell the platform that a hook failed after a restore (SnapStart)."""
        self.state = self._after(CALL)
        return self._error(names.RESTORE_ERROR_PATH, report, "")

    def register_extension(self, name: str) -> bytes:
        """Register an internal extension that wants no event."""
        self.state = self._after(CALL)
        body = '{"events":[]}'
        return (
            f"POST {names.EXTENSION_REGISTER_PATH}{self._suffix}Lambda-Extension-Name: {name}\r\n"
            f"Content-Type: {names.JSON}\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        ).encode()

    def extension_next(self, identifier: str) -> bytes:
        """Wait for an extension event; an extension that registered for none never gets one."""
        self.state = self._after(CALL)
        headers = f"{self._suffix}Lambda-Extension-Identifier: {identifier}\r\n\r\n"
        return f"GET {names.EXTENSION_NEXT_PATH}{headers}".encode()

    def _after(self, request: str) -> str:
        try:
            return _SENT[request][self.state]
        except KeyError:
            raise LocalProtocolError(f"a connection that is {self.state} cannot send a {request}") from None

    def _error(self, path: str, report: ErrorReport, echo: str) -> bytes:
        body = report.body()
        head = (
            f"POST {path}{self._suffix}{echo}Content-Type: {names.JSON}\r\n"
            f"Lambda-Runtime-Function-Error-Type: {report.function_error_type}\r\n"
            f"Lambda-Runtime-Function-XRay-Error-Cause: {report.xray_cause()}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    # Replies

    def receive(self, data: bytes) -> None:
        """Take received bytes; empty ones say that the server closed the connection."""
        if not data:
            self._eof = True
        elif not self._buffer:
            self._buffer = data
        else:
            # Appending to a bytearray costs no copy of what was there, so that tiny pieces are not slow.
            if isinstance(self._buffer, bytes):
                self._buffer = bytearray(self._buffer)
            self._buffer += data

    def next_event(self) -> Invocation | Reply | None:
        """Return what came in next; None when more bytes are needed, or the connection is closed.

        Raises:
            ConnectionLost: the server closed the connection and owes us a reply. `state` is CLOSED now.
            ProtocolError: what came in is not HTTP, or nobody asked for it. `state` is CLOSED now.
        """
        if not self._buffer and not self._eof:
            return None
        try:
            while self.state is not CLOSED:
                if self.state is POLLING:
                    if self._head is None and (invocation := self._familiar_event()) is not None:
                        return invocation
                elif (accepted := self._accepted_again()) is not None:
                    return accepted
                payload = self._begin_reply() if self._head is None else self._continue_reply()
                if payload is None:
                    return None
                event = self._end_reply(payload)
                if event is not None:
                    return event
        except ProtocolError as error:
            self.state = CLOSED
            raise ProtocolError(
                f"what listens at {self._host} (AWS_LAMBDA_RUNTIME_API) is no Runtime API: {error}"
            ) from error
        return None

    def _accepted_again(self) -> Reply | None:
        """Take the reply to an answer when it is the one before again, byte for byte: only its date ever changes."""
        if _accepted is None or self._head is not None or (self.state is not AHEAD and self.state is not ANSWERED):
            return None
        text, reply = _accepted
        if not self._buffer.startswith(text):
            return None
        self._buffer = self._buffer[len(text) :]
        self._scanned = 0
        self.state = POLLING if self.state is AHEAD else CLOSED if self._buffer else IDLE  # as `_replied` says
        return reply

    def _familiar_event(self) -> Invocation | None:
        """Take an event that has come whole, and whose head differs from an earlier one in a few values only."""
        buffer = self._buffer
        if self._foreign or isinstance(buffer, bytearray):
            return None
        head_end = buffer.find(h1.HEAD_END, _shortest) + 4
        known = _familiar.get(head_end)
        if known is None or (recalled := known.read(buffer[:head_end].decode("latin-1"))) is None:
            return None
        invocation, end = recalled[0], head_end + recalled[1]
        if len(buffer) < end:
            return None
        invocation.payload = buffer[head_end:end]
        self._buffer = buffer[end:]
        self._scanned = 0
        self.state = CLOSED if self._buffer else IDLE  # as `_replied` says
        return invocation

    def _begin_reply(self) -> bytes | None:
        """Read the head of a reply, and its body if that has come as well; None when bytes are missing."""
        buffer = self._buffer
        if not buffer:
            return self._end_of_stream() if self._eof else None
        if self.state not in _REPLIED:
            raise ProtocolError("it replied to nothing")
        head_end = buffer.find(h1.HEAD_END, self._scanned)
        if head_end < 0:
            if len(buffer) > h1.MAX_HEAD:
                raise ProtocolError(f"the head of a reply is longer than {h1.MAX_HEAD} bytes")
            if self._eof:
                return self._end_of_stream()
            self._scanned = max(0, len(buffer) - 3)
            return None
        buffer = bytes(buffer)
        self._scanned = 0
        status, version, headers = h1.parse_response_head(buffer[:head_end])
        self._buffer = buffer[head_end + 4 :]
        self._body = h1.reply_body(status, headers)
        keep_alive = h1.keeps_alive(version, headers) and not isinstance(self._body, h1.ClosedBody)
        self._head = (status, keep_alive, headers)
        payload = self._continue_reply()
        if keep_alive and payload is not None:
            global _accepted, _shortest
            if status == 202:
                _accepted = buffer[: len(buffer) - len(self._buffer)], Reply(ANSWER, status, headers, payload)
            elif status == 200 and isinstance(self._body, h1.FixedBody) and len(_familiar) < _MAX_FAMILIAR:
                from polylambda.rapi.familiar import remember

                _shortest = remember(_familiar, buffer[: head_end + 4], headers)
        return payload

    def _continue_reply(self) -> bytes | None:
        """Read what has come of a body; None when it is not whole."""
        body = self._body
        assert body is not None
        if self._buffer:
            part = body.feed(bytes(self._buffer))
            self._buffer = body.rest
            if body.complete and not self._parts:
                return part  # the whole body has come in one piece, as it nearly always does
            if part:
                self._parts.append(part)
        if not body.complete:
            if not self._eof:
                return None
            if not isinstance(body, h1.ClosedBody):
                return self._end_of_stream()
        payload = b"".join(self._parts)
        self._parts.clear()
        return payload

    def _end_reply(self, payload: bytes) -> Invocation | Reply | None:
        """Make an event of the reply that is now whole."""
        assert self._head is not None
        status, keep_alive, headers = self._head
        self._head = self._body = None
        if status == 101:
            raise ProtocolError("it switched to another protocol, which nobody asked for")
        if status < 200:
            return None  # 100 Continue and its like announce the real reply
        foreign, self._foreign = self._foreign, False
        if foreign and keep_alive and status in _ANSWER_STATUSES:
            return None
        to = self._replied(keep_alive)
        if to is not POLL or status != 200:
            return Reply(to, status, headers, payload)
        invocation = Invocation(payload, headers)
        if not invocation.request_id:
            raise ProtocolError("it sent an event without an id (Lambda-Runtime-Aws-Request-Id)")
        return invocation

    def _replied(self, keep_alive: bool) -> str:
        """Go on to the next state, and return what was replied to."""
        to, state = _REPLIED[self.state]
        if not keep_alive or (state is IDLE and self._buffer):
            state = CLOSED  # what comes behind the last reply that is due would be taken for the next one
        self.state = state
        return to

    def _end_of_stream(self) -> None:
        """The server has closed the connection; fail if that was in the middle of something."""
        state, self.state = self.state, CLOSED
        if state in _REPLIED:
            where = " in the middle of a reply" if self.receiving else ""
            raise ConnectionLost(
                f"the Runtime API at {self._host} (AWS_LAMBDA_RUNTIME_API) closed the connection{where}"
            )


@cache
def _texts_for(host: str) -> tuple[str, bytes]:
    """The end of every request's first line with the headers that all requests have, and a whole poll."""
    suffix = f" HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {names.USER_AGENT}\r\n"
    return suffix, f"GET {names.NEXT_PATH}{suffix}\r\n".encode()


def _echo(invocation: Invocation) -> str:
    """The header that names the attempt, when the platform gave it a name."""
    name = invocation.invocation_id
    return f"Lambda-Runtime-Invocation-Id: {name}\r\n" if name else ""
