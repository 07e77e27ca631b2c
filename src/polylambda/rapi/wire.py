"""The Runtime API as one connection sees it, without the connection.

`Wire` turns calls into bytes to send, and received bytes into events; it has no socket and no clock. Replies come in the
order of their requests, so a poll may be sent behind an answer without waiting for the answer's reply (pipelining,
RFC 9112, section 9.3.2): the queue of what is outstanding says which reply belongs to what.

Who may do what when lives here: which reply is outstanding, when the connection is used up, where a stream stands.
What to do about a refusal, a lost connection or a slow server is for the drivers, `blocking` and `aio`.
"""

from __future__ import annotations

import sys
from collections import deque

from polylambda.errors import ProtocolError
from polylambda.rapi import h1
from polylambda.rapi import headers as names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from polylambda.report import ErrorReport

USER_AGENT: Final = "polylambda-python/{}.{}.{}".format(*sys.version_info[:3])

# What a reply may be the reply to.
NEXT: Final = "next"
RESPONSE: Final = "response"
ERROR: Final = "error"
INIT_ERROR: Final = "init error"
RESTORE: Final = "restore"
REGISTER: Final = "extension registration"
EXTENSION_NEXT: Final = "extension event"


class Invocation:
    """One event with its metadata, as `next` delivered it. An empty text is an absent value."""

    __slots__ = (
        "client_context",
        "cognito_identity",
        "content_type",
        "deadline_ms",
        "function_arn",
        "invocation_id",
        "payload",
        "request_id",
        "tenant_id",
        "trace_id",
    )

    def __init__(self, payload: bytes, headers: dict[str, str]) -> None:
        get = headers.get
        self.payload = payload
        self.request_id = get(names.REQUEST_ID, "")
        self.invocation_id = get(names.INVOCATION_ID, "")
        self.deadline_ms = get(names.DEADLINE_MS, "")
        self.function_arn = get(names.FUNCTION_ARN, "")
        self.trace_id = get(names.TRACE_ID, "")
        self.content_type = get("content-type", "")
        self.tenant_id = get(names.TENANT_ID, "")
        self.client_context = get(names.CLIENT_CONTEXT, "")
        self.cognito_identity = get(names.COGNITO_IDENTITY, "")

    def __repr__(self) -> str:
        return f"<Invocation {self.request_id} with {len(self.payload)} bytes of {self.content_type}>"


class Reply:
    """The platform's reply to anything but a successful poll.

    Attributes:
        to: what it replies to, one of this module's constants.
        request_id: the invocation it is about; empty for a poll.
        status: HTTP status; 202 is the usual success.
        headers: names in lower case.
        body: bytes, mostly JSON.
    """

    __slots__ = ("body", "headers", "request_id", "status", "to")

    def __init__(self, to: str, request_id: str, status: int, headers: dict[str, str], body: bytes) -> None:
        self.to = to
        self.request_id = request_id
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def accepted(self) -> bool:
        """The platform took what was sent."""
        return 200 <= self.status < 300

    def reason(self) -> tuple[str, str]:
        """Return `errorType` and `errorMessage` of a refusal; text of the body when it is not AWS's JSON."""
        import json

        try:
            fields = json.loads(self.body)
            return str(fields["errorType"]), str(fields["errorMessage"])
        except (ValueError, KeyError, TypeError):
            return "", self.body[:200].decode(errors="replace")

    def __repr__(self) -> str:
        return f"<Reply {self.status} to {self.to} {self.request_id}>"


class Wire:
    """The protocol state of one connection: make a new one for every connection.

    Call the methods named after requests to get the bytes to send; give received bytes to `receive` and take events
    from `next_event` until it returns None, which means that more bytes are needed. When `closed` is true, nothing more
    can be sent or received: `outstanding` then lists what never got its reply.
    """

    __slots__ = ("_body", "_buffer", "_head", "_parts", "_suffix", "closed", "outstanding")

    def __init__(self, host: str) -> None:
        """Take `host`, the value of the Host header: `AWS_LAMBDA_RUNTIME_API` as it was given."""
        self.outstanding: deque[tuple[str, str]] = deque()  # (what, request id) in the order they were sent
        self.closed = False
        self._suffix = f" HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {USER_AGENT}\r\n"
        self._buffer = b""
        self._head: tuple[int, bool, dict[str, str]] | None = None  # of the reply whose body is being read
        self._body: h1.FixedBody | h1.ChunkedBody | h1.ClosedBody | None = None
        self._parts: list[bytes] = []

    # Requests

    def next(self) -> bytes:
        """Ask for the next invocation."""
        self.outstanding.append((NEXT, ""))
        return f"GET {names.NEXT_PATH}{self._suffix}\r\n".encode()

    def response(self, invocation: Invocation, content_type: str, length: int) -> bytes:
        """Begin a buffered answer of `length` bytes, which are to be sent behind what this returns."""
        self.outstanding.append((RESPONSE, invocation.request_id))
        return (
            f"POST {names.INVOCATION_PATH}{invocation.request_id}/response{self._suffix}{_echo(invocation)}"
            f"Content-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n"
        ).encode()

    def stream(self, invocation: Invocation, content_type: str) -> bytes:
        """Begin a streamed answer: `chunk` and `stream_end` follow. The connection is used up afterwards."""
        self.outstanding.append((RESPONSE, invocation.request_id))
        return (
            f"POST {names.INVOCATION_PATH}{invocation.request_id}/response{self._suffix}{_echo(invocation)}"
            f"Content-Type: {content_type}\r\nLambda-Runtime-Function-Response-Mode: streaming\r\n"
            "Transfer-Encoding: chunked\r\n"
            "Trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body\r\n\r\n"
        ).encode()

    @staticmethod
    def chunk(data: bytes) -> bytes:
        """Frame a piece of a stream; nothing for an empty one, which would end it."""
        return b"%x\r\n%b\r\n" % (len(data), data) if data else b""

    @staticmethod
    def stream_end(report: ErrorReport | None = None) -> bytes:
        """End a stream, with the error that cut it short if there is one."""
        if report is None:
            return b"0\r\n\r\n"
        from binascii import b2a_base64

        body = b2a_base64(report.body(), newline=False).decode()
        return (
            f"0\r\nLambda-Runtime-Function-Error-Type: {report.function_error_type}\r\n"
            f"Lambda-Runtime-Function-Error-Body: {body}\r\n\r\n"
        ).encode()

    def error(self, invocation: Invocation, report: ErrorReport) -> bytes:
        """Answer an invocation with an error, whole."""
        self.outstanding.append((ERROR, invocation.request_id))
        path = f"{names.INVOCATION_PATH}{invocation.request_id}/error"
        return self._error(path, report, _echo(invocation))

    def init_error(self, report: ErrorReport) -> bytes:
        """Tell the platform that the runtime could not start."""
        self.outstanding.append((INIT_ERROR, ""))
        return self._error(names.INIT_ERROR_PATH, report, "")

    def restore_next(self) -> bytes:
        """Ask to be told when a snapshot has been restored (SnapStart)."""
        self.outstanding.append((RESTORE, ""))
        return f"GET {names.RESTORE_NEXT_PATH}{self._suffix}\r\n".encode()

    def restore_error(self, report: ErrorReport) -> bytes:
        """Tell the platform that a hook failed after a restore (SnapStart)."""
        self.outstanding.append((INIT_ERROR, ""))
        return self._error(names.RESTORE_ERROR_PATH, report, "")

    def register_extension(self, name: str) -> bytes:
        """Register an internal extension that wants no event."""
        self.outstanding.append((REGISTER, ""))
        body = '{"events":[]}'
        return (
            f"POST {names.EXTENSION_REGISTER_PATH}{self._suffix}Lambda-Extension-Name: {name}\r\n"
            f"Content-Type: {names.JSON}\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        ).encode()

    def extension_next(self, identifier: str) -> bytes:
        """Wait for an extension event; an extension that registered for none never gets one."""
        self.outstanding.append((EXTENSION_NEXT, ""))
        path = names.EXTENSION_NEXT_PATH
        return f"GET {path}{self._suffix}Lambda-Extension-Identifier: {identifier}\r\n\r\n".encode()

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
        """Take received bytes; empty ones say that the server closed the connection.

        Raises:
            ProtocolError: the server closed in the middle of a reply.
        """
        if data:
            if self._body is not None:
                self._feed_body(data)
            else:
                self._buffer = self._buffer + data if self._buffer else data
            return
        self.closed = True
        if isinstance(self._body, h1.ClosedBody):
            self._body.complete = True
        elif self._body is not None or self._buffer:
            raise ProtocolError("the Runtime API closed the connection in the middle of a reply")

    def next_event(self) -> Invocation | Reply | None:
        """Return what came in next; None when more bytes are needed.

        Raises:
            ProtocolError: what came in is not HTTP, or nobody asked for it.
        """
        while True:
            body = self._body
            if body is None and not self._begin_reply():
                return None
            body = self._body
            if body is not None and not body.complete:
                return None
            event = self._end_reply()
            if event is not None:
                return event

    def _begin_reply(self) -> bool:
        """Parse the head of a reply, if it is whole."""
        buffer = self._buffer
        head_end = buffer.find(h1.HEAD_END)
        if head_end < 0:
            if len(buffer) > h1.MAX_HEAD:
                raise ProtocolError(f"the head of a reply is longer than {h1.MAX_HEAD} bytes")
            return False
        if not self.outstanding:
            raise ProtocolError("the Runtime API sent a reply to nothing")
        status, version, headers = h1.parse_response_head(buffer[:head_end])
        self._head = (status, h1.keeps_alive(version, headers), headers)
        self._buffer = b""
        if status < 200 or status in (204, 304):
            self._body = h1.FixedBody(0)
        elif h1.is_chunked(headers):
            self._body = h1.ChunkedBody()
        else:
            length = h1.content_length(headers)
            self._body = h1.ClosedBody() if length is None else h1.FixedBody(length)
        self._feed_body(buffer[head_end + 4 :])
        return True

    def _feed_body(self, data: bytes) -> None:
        body = self._body
        assert body is not None
        part = body.feed(data) if data else b""
        if part:
            self._parts.append(part)
        if body.complete:
            self._buffer = body.rest

    def _end_reply(self) -> Invocation | Reply | None:
        """Make an event of the reply that is now whole."""
        assert self._head is not None
        status, keep_alive, headers = self._head
        parts = self._parts
        payload = parts[0] if len(parts) == 1 else b"".join(parts)
        self._head = self._body = None
        if parts:
            self._parts = []
        if status < 200:  # 100 Continue and its like announce the real reply
            return None
        if not keep_alive:
            self.closed = True
        to, request_id = self.outstanding.popleft()
        if to is NEXT and status == 200:
            return Invocation(payload, headers)
        return Reply(to, request_id, status, headers, payload)


def _echo(invocation: Invocation) -> str:
    """The header that names the attempt, when the platform gave it a name."""
    if not invocation.invocation_id:
        return ""
    return f"Lambda-Runtime-Invocation-Id: {invocation.invocation_id}\r\n"
