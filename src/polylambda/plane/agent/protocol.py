"""What plane and agent say to each other, as data and bytes. No I/O. `docs/agent-protocol.md` tells the whole.

An answer to an invocation is a row of frames: a head, pieces of the body, an end. A frame is a letter, the length of what
follows in four bytes, and that. Events are lines of JSON, each an object whose `kind` says what it tells of.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import msgspec

from polylambda.errors import ProtocolError
from polylambda.plane.router import Cause  # noqa: TC001 # msgspec reads the annotations
from polylambda.rapi.headers import JSON
from polylambda.server.invocation import DEFAULT_ARN, Invocation

if TYPE_CHECKING:
    from collections.abc import Iterator

EVENTS_PATH = "/events"
ENVIRONMENTS_PATH = "/environments"
ENVIRONMENT_PREFIX = "/environments/"
INVOCATIONS = "/invocations"  # behind an environment's path

INVOCATION_HEADER = "x-polylambda-invocation"
CAUSE_HEADER = "x-polylambda-cause"

TOKEN_VARIABLE = "POLYLAMBDA_AGENT_TOKEN"  # noqa: S105 # the name of the variable that has the token

HEARTBEAT = 1.0  # seconds between two measures, which are also the sign of life
SILENCE = 3.0  # seconds without an event after which an agent counts as lost


class Listening(msgspec.Struct, frozen=True):
    """What an agent says on its standard output when it listens, in one line.

    Attributes:
        host: where.
        port: TCP port.
        pid: its process id.
        cpu: a sentence that says how environments are held to their vCPUs.
    """

    host: str
    port: int
    pid: int
    cpu: str


# Events


class InstanceMeasures(msgspec.Struct, tag_field="kind", tag="instance", frozen=True):
    """How the instance does: once a second, whatever happens.

    Attributes:
        cpu: share of its vCPUs that its environments used since the last time, 0 to 1.
        memory: MiB that its environments use.
        environments: how many of them have a process.
        pid: of the agent.
    """

    cpu: float
    memory: float
    environments: int
    pid: int


class EnvironmentChanged(msgspec.Struct, tag_field="kind", tag="environment", frozen=True, omit_defaults=True):
    """An environment went to another state.

    Attributes:
        id: of the environment.
        state: a value of `EnvironmentState`, such as `Ready`.
        error_type: of what went wrong, such as `Runtime.ImportModuleError`; else empty.
        reason: a sentence that says so; else empty.
        pid: of its first process; 0 when it has none (any more).
    """

    id: str
    state: str
    error_type: str = ""
    reason: str = ""
    pid: int = 0


class EnvironmentMeasures(msgspec.Struct, tag_field="kind", tag="measures", frozen=True):
    """How an environment does: once a second while it has a process.

    Attributes:
        id: of the environment.
        cpu: share of its vCPUs that was used since the last time, 0 to 1.
        memory: MiB that its processes use.
        in_use: invocations that it held, mean since the last time.
        polls: slots of the runtime that wait for an invocation now.
        hot: why it refuses invocations now; None: it does not.
    """

    id: str
    cpu: float
    memory: float
    in_use: float
    polls: int
    hot: Cause | None


class LogRecord(msgspec.Struct, tag_field="kind", tag="log", frozen=True, omit_defaults=True):
    """A line for the function's log: what the function wrote, or an event of the platform.

    Attributes:
        id: of the environment.
        record: JSON of `{"time": ..., "type": "function" or "platform.*", "record": ...}`, as AWS's Telemetry API has it.
        once: every environment of the function says the same, and its log needs it but once.
    """

    id: str
    record: msgspec.Raw
    once: bool = False


Event = InstanceMeasures | EnvironmentChanged | EnvironmentMeasures | LogRecord

_event_encoder = msgspec.json.Encoder()
_event_decoder = msgspec.json.Decoder(Event)


def encode_event(event: Event) -> bytes:
    """Return an event as a line."""
    return _event_encoder.encode(event) + b"\n"


def decode_event(line: bytes) -> Event:
    """Return the event that a line tells.

    Raises:
        ProtocolError: it is none.
    """
    try:
        return _event_decoder.decode(line)
    except msgspec.DecodeError as error:
        raise ProtocolError(f"the agent sent an event that is none: {line[:200]!r} ({error})") from error


# Invocations


class InvocationHead(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is known of an invocation beside its payload, as a header says it: JSON, without line ends or blanks.

    Attributes:
        request_id: as in `Invocation`, like the others.
        tail: whether the caller wants the end of the log.
    """

    request_id: str
    timeout: float
    content_type: str = JSON
    invoked_function_arn: str = DEFAULT_ARN
    trace_id: str = ""
    client_context: str = ""
    identity: str = ""
    tenant_id: str = ""
    tail: bool = False

    @classmethod
    def of(cls, invocation: Invocation, *, tail: bool) -> InvocationHead:
        """Return the head of an invocation."""
        return cls(
            invocation.request_id,
            invocation.timeout,
            invocation.content_type,
            invocation.invoked_function_arn,
            invocation.trace_id,
            invocation.client_context,
            invocation.identity,
            invocation.tenant_id,
            tail,
        )

    def invocation(self, payload: bytes) -> Invocation:
        """Return the invocation that the head and `payload` make."""
        return Invocation(
            payload=payload,
            content_type=self.content_type,
            request_id=self.request_id,
            timeout=self.timeout,
            invoked_function_arn=self.invoked_function_arn,
            trace_id=self.trace_id,
            client_context=self.client_context,
            identity=self.identity,
            tenant_id=self.tenant_id,
        )


_head_encoder = msgspec.json.Encoder()
_head_decoder = msgspec.json.Decoder(InvocationHead)


def encode_invocation(head: InvocationHead) -> bytes:
    """Return the head as a header's value. The one control character that JSON leaves alone is escaped."""
    return _head_encoder.encode(head).replace(b"\x7f", b"\\u007f")


def decode_invocation(value: bytes) -> InvocationHead:
    """Return the head that a header's value is.

    Raises:
        ProtocolError: it is none.
    """
    try:
        return _head_decoder.decode(value)
    except msgspec.DecodeError as error:
        raise ProtocolError(f"{INVOCATION_HEADER} is no invocation: {error}") from error


# Answers


class AnswerHead(msgspec.Struct, frozen=True):
    """The answer begins.

    Attributes:
        content_type: of the body.
        streamed: the body comes bit by bit.
    """

    content_type: str
    streamed: bool


class AnswerEnd(msgspec.Struct, frozen=True, omit_defaults=True):
    """The answer is whole.

    Attributes:
        outcome: a value of the Runtime API server's `Outcome`.
        error_type: such as `Sandbox.Timedout`; None when nothing went wrong.
        error_body: JSON of an error in the middle of a stream; base64 on the way.
        log_tail: the end of the invocation's log, base64; empty when nobody asked for it.
    """

    outcome: str
    error_type: str | None = None
    error_body: bytes = b""
    log_tail: str = ""


Part = AnswerHead | bytes | AnswerEnd

_HEAD, _DATA, _END = b"H", b"D", b"E"
_FRAME = struct.Struct(">cI")
MAX_SMALL_FRAME = 8 * 1024 * 1024  # bytes of a head or an end

_answer_head_decoder = msgspec.json.Decoder(AnswerHead)
_answer_end_decoder = msgspec.json.Decoder(AnswerEnd)


def encode_part(part: Part) -> bytes:
    """Return a part of an answer as a frame."""
    if type(part) is bytes:
        return _FRAME.pack(_DATA, len(part)) + part
    data = _event_encoder.encode(part)
    return _FRAME.pack(_HEAD if type(part) is AnswerHead else _END, len(data)) + data


class AnswerReader:
    """Turn the bytes of an answer into its parts, however they were cut on the way."""

    __slots__ = ("_buffer", "_left")

    def __init__(self) -> None:
        self._buffer = b""
        self._left = 0  # bytes of the body that are still to come in this frame

    def feed(self, data: bytes) -> Iterator[Part]:
        """Take received bytes and yield the parts that are known now. A piece of the body may be yielded in several.

        Raises:
            ProtocolError: the bytes are no frames.
        """
        if self._buffer:
            data = self._buffer + data
            self._buffer = b""
        at = 0
        while at < len(data):
            if self._left:
                piece = data[at : at + self._left]
                self._left -= len(piece)
                at += len(piece)
                yield piece
                continue
            body = at + _FRAME.size
            if len(data) < body:
                break
            kind, length = _FRAME.unpack_from(data, at)
            if kind == _DATA:
                self._left = length
                at = body
                continue
            if kind not in (_HEAD, _END) or length > MAX_SMALL_FRAME:
                raise ProtocolError(f"an answer's frame of kind {kind!r} with {length} bytes: there is none such")
            if len(data) < body + length:
                break
            at = body + length
            yield _small_part(kind, data[body:at])
        self._buffer = data[at:]


def _small_part(kind: bytes, data: bytes) -> AnswerHead | AnswerEnd:
    try:
        return _answer_head_decoder.decode(data) if kind == _HEAD else _answer_end_decoder.decode(data)
    except msgspec.DecodeError as error:
        raise ProtocolError(f"an answer's frame that cannot be read: {error}") from error
