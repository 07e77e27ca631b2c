"""What goes into a function's log: its own lines and the platform's events, in the shape of AWS's Telemetry API.

https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html
"""

from __future__ import annotations

import base64
import time
from collections import deque
from typing import TYPE_CHECKING, Any

import msgspec

from polylambda.plane.agent.protocol import LogRecord
from polylambda.plane.clock import timestamp

if TYPE_CHECKING:
    from collections.abc import Callable

TAIL = 4 * 1024  # bytes of log that AWS returns with an invocation

_DEBUG, _INFO, _WARN = range(3)
_LEVELS = {"DEBUG": _DEBUG, "INFO": _INFO, "WARN": _WARN}

# The levels of the platform's events, but for those that are WARN because something failed. The rest is INFO. (On AWS an
# initStart is DEBUG where there is no managed runtime, as in images; there are none here.)
_EVENT_LEVELS = {"platform.initRuntimeDone": _DEBUG, "platform.logsDropped": _WARN}

_encode = msgspec.json.Encoder().encode


class _Named(msgspec.Struct):
    """All that is asked of a line: is it JSON, and which invocation does it belong to?"""

    requestId: Any = None  # noqa: N815 # AWS's name


_named = msgspec.json.Decoder(_Named)


class Log:
    """The log of one environment, passed on line by line."""

    def __init__(self, environment: str, emit: Callable[[LogRecord], None], *, level: str = "INFO") -> None:
        """Give each record of `environment` to `emit`; of the platform's events only those from `level` on."""
        self._environment = environment
        self._emit = emit
        self._level = _LEVELS.get(level, _INFO)
        self._tails: dict[str, deque[bytes]] = {}
        self._second = 0
        self._second_text = ""

    def begin_tail(self, request_id: str) -> None:
        """Keep the end of what is logged for an invocation, from now on."""
        self._tails[request_id] = deque()

    def end_tail(self, request_id: str) -> str:
        """Return what was kept, base64; AWS's limit is 4 KB."""
        lines = self._tails.pop(request_id, ())
        return base64.b64encode(b"".join(line + b"\n" for line in lines)[-TAIL:]).decode()

    def output(self, _stream: str, line: bytes) -> None:
        """Take a line that the function wrote, without its line end."""
        record: msgspec.Raw | str
        request_id: object = None
        if (named := _json(line)) is not None:
            record, request_id = msgspec.Raw(line), named.requestId
        else:
            record = line.decode("utf-8", "replace")
        if self._tails:
            self._add_to_tails(line, request_id)
        self._send("function", record)

    def platform(self, kind: str, record: dict[str, Any]) -> None:
        """Write an event of the platform, unless its level is too low; `kind` is such as `platform.start`."""
        if _level(kind, record) < self._level:
            return
        line = self._send(kind, record)
        request_id = record.get("requestId")
        if request_id in self._tails:
            self._add_to_tails(line, request_id)

    def note(self, text: str, *, once: bool = False) -> None:
        """Write something that the developer should know and AWS has no event for; `once`, as in `LogRecord`."""
        self._send("polylambda", text, once=once)

    def timestamp(self, now: float) -> str:
        """Return a Unix time in AWS's words. Each second is put into words once: thousands of records are written in it."""
        second = int(now)
        if second != self._second:
            self._second = second
            self._second_text = timestamp(second)[:-4]
        return f"{self._second_text}{int((now - second) * 1000):03d}Z"

    def _send(self, kind: str, record: Any, *, once: bool = False) -> bytes:
        line = _encode({"time": self.timestamp(time.time()), "type": kind, "record": record})
        self._emit(LogRecord(self._environment, msgspec.Raw(line), once))
        return line

    def _add_to_tails(self, line: bytes, request_id: object) -> None:
        """Keep a line for the invocation it names, or for all that are under way: text does not say whose it is."""
        tail = self._tails.get(request_id) if isinstance(request_id, str) else None
        if request_id is not None and tail is None:
            return
        for lines in self._tails.values() if tail is None else (tail,):
            lines.append(line)
            if len(lines) > TAIL:  # each line has a line end: no more can matter
                lines.popleft()


def _level(kind: str, record: dict[str, Any]) -> int:
    """The level of an event of the platform."""
    if record.get("status", "success") != "success":
        return _WARN
    return _EVENT_LEVELS.get(kind, _INFO)


def _json(line: bytes) -> _Named | None:
    """The line as a JSON object; None: it is text."""
    if not line.startswith(b"{"):
        return None
    try:
        line.decode()
        return _named.decode(line)
    except ValueError:  # text that looks like JSON, or is no text at all
        return None
