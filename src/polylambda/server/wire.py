"""The HTTP of the Runtime API, server side, as one connection sees it: bytes in, events out, and back. No I/O.

Requests may be pipelined, and replies go out in the order of their requests, so `next_event` stops behind a whole
request until it has been replied to. A reply may go out before its request is whole; then the connection is of no more
use, for what follows on it is the rest of a body that nobody wants. RFC 9112.

Which requests exist is not known here.
"""

from __future__ import annotations

import json
from enum import Enum
from http import HTTPStatus
from typing import TYPE_CHECKING

from polylambda.errors import ProtocolError
from polylambda.rapi import h1
from polylambda.rapi import headers as names
from polylambda.server import faults
from polylambda.server.errors import Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from polylambda.server.ledger import Attempt

MAX_HEAD = 1024 * 1024  # bytes
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class RequestHead:
    """A request has begun.

    Attributes:
        method: in upper case, as it was sent.
        path: without the query string.
        headers: names in lower case.
        content_length: bytes of the body; None when it comes in chunks.
        expects_continue: the client waits to be told to send the body.
    """

    __slots__ = ("content_length", "expects_continue", "headers", "method", "path")

    def __init__(self, method: str, target: str, version: str, headers: dict[str, str]) -> None:
        self.method = method
        self.path = target.partition("?")[0]
        self.headers = headers
        chunked = h1.is_chunked(headers)
        length = h1.content_length(headers)
        if chunked and (length is not None or version == "1.0"):
            raise ProtocolError("a request with two lengths: content-length and transfer-encoding")
        self.content_length = None if chunked else length or 0
        self.expects_continue = version == "1.1" and headers.get("expect", "").lower() == "100-continue"


class Data:
    """A piece of a request's body, with more to come."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data


class EndOfRequest:
    """The request is whole.

    Attributes:
        data: the rest of the body; mostly all of it, or nothing.
        trailers: the fields behind a body in chunks, names in lower case.
    """

    __slots__ = ("data", "trailers")

    def __init__(self, data: bytes, trailers: dict[str, str]) -> None:
        self.data = data
        self.trailers = trailers


class Reply:
    """What a request is replied with, unless it is an invocation."""

    __slots__ = ("body", "content_type", "headers", "status")

    def __init__(
        self, status: int, body: bytes, *, content_type: str = names.JSON, headers: Mapping[str, str] | None = None
    ) -> None:
        self.status = status
        self.body = body
        self.content_type = content_type
        self.headers = headers or {}

    @classmethod
    def refusing(cls, refusal: Refusal) -> Reply:
        """Make the reply that says no."""
        body = json.dumps({"errorMessage": refusal.message, "errorType": refusal.error_type}).encode()
        return cls(refusal.status, body, headers=refusal.headers)


ACCEPTED = Reply(202, b'{"status":"OK"}\n')

Event = RequestHead | Data | EndOfRequest


class State(Enum):
    """What a connection waits for."""

    HEAD = "the head of a request"
    BODY = "the rest of a body"
    REPLY = "our reply to a whole request"
    OVER = "nothing: its last reply is out"
    CUT = "that the client hears us: its last reply went out in the middle of a request"


class Wire:
    """The protocol state of one connection.

    Give received bytes to `receive` and take events from `next_event` until it returns None. Then either bytes are
    missing, or the reply to a whole request.

    Attributes:
        state: what it waits for.
        eof: the client sends nothing more.
        closing: our last reply is out.
    """

    __slots__ = (
        "_body",
        "_buffer",
        "_keep_alive",
        "_poll",
        "_poll_head",
        "_scanned",
        "_whole",
        "closing",
        "eof",
        "state",
    )

    def __init__(self) -> None:
        self.state = State.HEAD
        self.eof = False
        self.closing = False
        self._buffer = b""
        self._scanned = 0  # bytes of the buffer in which the end of a head cannot begin
        self._keep_alive = True
        self._body: h1.FixedBody | h1.ChunkedBody | None = None  # None: it is in _whole
        self._whole = b""
        self._poll: bytes = b""  # the last request without a body, and its head
        self._poll_head: RequestHead | None = None

    @property
    def buffered(self) -> int:
        """Bytes that were received and not yet turned into events."""
        return len(self._buffer)

    def receive(self, data: bytes) -> None:
        """Take received bytes; empty ones say that the client sends nothing more."""
        if not data:
            self.eof = True
        elif not self.closing:
            self._buffer = self._buffer + data if self._buffer else data

    def next_event(self) -> Event | None:
        """Return what came in next; None when bytes are missing, or a reply is due.

        Raises:
            Refusal: what came in is not HTTP, is too large, or broke off. Reply with it, then close.
        """
        state = self.state
        if state is State.HEAD:
            return self._next_head()
        if state is not State.BODY:
            return None
        try:
            return self._next_part()
        except ProtocolError as error:
            raise _bad_request(str(error)) from error

    def reply(self, reply: Reply, *, last: bool = False) -> bytes:
        """Return the reply to the current request. In the middle of its body, or when `last`, it ends the connection."""
        keep_alive = self._replied(last=last)
        if keep_alive and reply is ACCEPTED:
            return _ACCEPTED
        return _reply(reply, keep_alive=keep_alive)

    def deliver(self, attempt: Attempt) -> tuple[bytes, bytes]:
        """Return the reply to a poll: its head, and the event that follows it."""
        invocation = attempt.invocation
        payload = invocation.payload
        tenant = f"{_TENANT_ID}: {invocation.tenant_id}\r\n" if invocation.tenant_id else ""
        last = "" if self._replied() else "Connection: close\r\n"
        head = (
            f"HTTP/1.1 200 OK\r\nContent-Type: {invocation.content_type}\r\n"
            f"{_REQUEST_ID}: {invocation.request_id}\r\n"
            f"{_INVOCATION_ID}: {attempt.invocation_id}\r\n"
            f"{_DEADLINE_MS}: {attempt.deadline_ms}\r\n"
            f"{_FUNCTION_ARN}: {invocation.invoked_function_arn}\r\n"
            f"{_TRACE_ID}: {attempt.trace_id}\r\n"
            f"{_CLIENT_CONTEXT}: {_one_line(invocation.client_context)}\r\n"
            f"{_COGNITO_IDENTITY}: {_one_line(invocation.identity)}\r\n"
            f"{tenant}{last}Content-Length: {len(payload)}\r\n\r\n"
        )
        return head.encode(), payload

    def _replied(self, *, last: bool = False) -> bool:
        """Go on to the next request; False when there will be none."""
        if self.state is State.REPLY and self._keep_alive and not last:
            self.state = State.HEAD
            return True
        self.state = State.OVER if self.state is State.REPLY else State.CUT
        self.closing = True
        self._buffer = b""
        return False

    def _next_head(self) -> RequestHead | None:
        buffer = self._buffer
        if not buffer:
            return None
        if buffer == self._poll:  # a client's polls are all the same
            self._buffer = b""
            self._scanned = 0
            self._body = None
            self.state = State.BODY
            return self._poll_head
        if buffer.startswith(b"\r\n"):  # left over from a sloppy client: RFC 9112, section 2.2
            buffer = self._buffer = buffer[2:]
        head_end = buffer.find(h1.HEAD_END, self._scanned)
        if head_end < 0:
            self._scanned = max(0, len(buffer) - 3)
            if len(buffer) > MAX_HEAD:
                raise self._head_too_large()
            if self.eof:
                raise self._give_up(faults.truncated_request())
            return None
        if head_end > MAX_HEAD:
            raise self._head_too_large()
        self._scanned = 0
        try:
            method, target, version, headers = h1.parse_request_head(buffer[:head_end])
            head = RequestHead(method, target, version, headers)
        except ProtocolError as error:
            raise self._give_up(_bad_request(str(error))) from error
        # Replies do not say keep-alive, which a client of HTTP/1.0 would wait for.
        self._keep_alive = version == "1.1" and h1.keeps_alive(version, headers)
        self._begin_body(head, buffer, head_end + len(h1.HEAD_END))
        return head

    def _begin_body(self, head: RequestHead, buffer: bytes, start: int) -> None:
        """Be ready for the body, which begins in `buffer` at `start`. Mostly all of it is there already."""
        self.state = State.BODY
        length = head.content_length
        if length is None or len(buffer) < start + length:
            self._body = h1.ChunkedBody() if length is None else h1.FixedBody(length)
            self._buffer = buffer[start:]
            return
        end = start + length
        self._body = None
        self._whole = buffer[start:end]
        self._buffer = buffer[end:]
        if length == 0 and not self._buffer and self._keep_alive:
            self._poll, self._poll_head = buffer, head

    def _next_part(self) -> Data | EndOfRequest | None:
        body = self._body
        if body is None:
            self.state = State.REPLY
            whole, self._whole = self._whole, b""
            return EndOfRequest(whole, _NO_TRAILERS)
        part = b""
        if self._buffer:
            data, self._buffer = self._buffer, b""
            part = body.feed(data)
            if body.complete:
                self._buffer = body.rest
                self.state = State.REPLY
                return EndOfRequest(part, body.trailers if isinstance(body, h1.ChunkedBody) else _NO_TRAILERS)
        if part:
            return Data(part)
        if self.eof:
            raise faults.truncated_request()
        return None

    def _head_too_large(self) -> Refusal:
        message = f"The request's head has more than {MAX_HEAD} bytes"
        return self._give_up(Refusal(431, "RequestHeaderFieldsTooLarge", message, fatal=True))

    def _give_up(self, refusal: Refusal) -> Refusal:
        """Have the reply that comes now be the last: where the next request begins is unknown."""
        self.state = State.BODY
        return refusal


_NO_TRAILERS: dict[str, str] = {}


def _reply(reply: Reply, *, keep_alive: bool) -> bytes:
    lines = [f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}", f"Content-Type: {reply.content_type}"]
    lines += [f"{name}: {value}" for name, value in reply.headers.items()]
    lines.append(f"Content-Length: {len(reply.body)}")
    if not keep_alive:
        lines.append("Connection: close")
    return "\r\n".join((*lines, "", "")).encode() + reply.body


def _bad_request(message: str) -> Refusal:
    return Refusal(400, "InvalidRequest", f"The request is not HTTP/1.1: {message}", fatal=True)


def _one_line(text: str) -> str:
    """JSON without control characters: between its words they are blanks, and inside a string there can only be a DEL."""
    return text.translate(_WITHOUT_CONTROL) if text else text


_WITHOUT_CONTROL = {**dict.fromkeys(range(32), " "), 127: "\\u007f"}

_ACCEPTED = _reply(ACCEPTED, keep_alive=True)

# As AWS spells them.
_REQUEST_ID = names.REQUEST_ID.title()
_INVOCATION_ID = names.INVOCATION_ID.title()
_DEADLINE_MS = names.DEADLINE_MS.title()
_FUNCTION_ARN = names.FUNCTION_ARN.title()
_TRACE_ID = names.TRACE_ID.title()
_CLIENT_CONTEXT = names.CLIENT_CONTEXT.title()
_COGNITO_IDENTITY = names.COGNITO_IDENTITY.title()
_TENANT_ID = names.TENANT_ID.title()
