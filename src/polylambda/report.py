"""What the platform and the log are told about an exception: AWS's error payload and its X-Ray cause.

Only failing invocations import this module. Traces show the user's frames; every size is bounded, because the Runtime
API takes 1 MiB of error and 64 KiB of cause, whatever an exception carries. Limits are counted in characters: one takes
at most six bytes of JSON, twelve when the JSON must be ASCII.
"""

from __future__ import annotations

import json
import linecache
import os
from collections import deque

from polylambda.errors import Fault
from polylambda.rapi.headers import MAX_XRAY_CAUSE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType, TracebackType
    from typing import Any

_MAX_NAME = 200
_MAX_MESSAGE = 40_000
_MAX_TRACE = 80_000
_MAX_ENTRY = 4_000
_MAX_FRAMES = 100
_MAX_EXCEPTIONS = 32
_MAX_REPEATS = 3  # of one frame, as Python's own tracebacks show a recursion
_MAX_XRAY_TEXT = 1_000

_OURS = os.path.dirname(__file__) + os.sep
_STANDARD_LIBRARY = os.path.dirname(os.__file__) + os.sep
_SITE_PACKAGES = (_STANDARD_LIBRARY + "site-packages" + os.sep, _STANDARD_LIBRARY + "dist-packages" + os.sep)

_to_json = json.JSONEncoder(ensure_ascii=False).encode
_to_ascii_json = json.JSONEncoder(separators=(",", ":")).encode


class ErrorReport:
    """An exception as AWS describes one.

    Attributes:
        error_type: name of the exception's class, or AWS's fault type of a `Fault`.
        function_error_type: the same with its category, `Function.ValueError` or `Runtime.MarshalError`, as the
            header `Lambda-Runtime-Function-Error-Type` takes it.
        message: text of the exception.
        request_id: the invocation; empty when the function did not start.
        stack_trace: the user's frames, then causes and members of exception groups, in AWS's format.
    """

    __slots__ = ("_frames", "error_type", "function_error_type", "message", "request_id", "stack_trace")

    def __init__(
        self, error_type: str, message: str, request_id: str, stack_trace: list[str], frames: list[_Frame] | None = None
    ) -> None:
        self.error_type = _cut(error_type, _MAX_NAME)
        self.function_error_type = _with_category(self.error_type)
        self.message = _cut(message, _MAX_MESSAGE)
        self.request_id = request_id
        self.stack_trace = _cut_trace(stack_trace)
        self._frames = frames or []

    def fields(self) -> dict[str, Any]:
        """Return the error as AWS's payload has it: `errorMessage`, `errorType`, `requestId`, `stackTrace`."""
        return {
            "errorMessage": self.message,
            "errorType": self.error_type,
            "requestId": self.request_id,
            "stackTrace": self.stack_trace,
        }

    def body(self) -> bytes:
        """Return the payload as JSON, for `/error` and `/init/error` (less than 1 MiB)."""
        # UTF-8 has no bytes for a lone surrogate; its backslash escape happens to be JSON's.
        return _to_json(self.fields()).encode("utf-8", "backslashreplace")

    def xray_cause(self) -> str:
        """Return the header `Lambda-Runtime-Function-XRay-Error-Cause`: one line of ASCII, at most 64 KiB.

        The innermost frames stay when there are too many.
        """
        cause = ""
        for most in (_MAX_FRAMES, _MAX_FRAMES // 4, _MAX_FRAMES // 16, 0):
            stack = [frame.for_xray() for frame in self._frames[-most:]] if most else []
            exception = {"message": _cut(self.message, _MAX_XRAY_TEXT), "type": self.error_type, "stack": stack}
            paths = list(dict.fromkeys(frame["path"] for frame in stack))
            cause = _to_ascii_json(
                {"working_directory": _working_directory(), "exceptions": [exception], "paths": paths}
            )
            if len(cause) <= MAX_XRAY_CAUSE:
                break
        return cause


def report(exc: BaseException, request_id: str = "") -> ErrorReport:
    """Describe `exc` for the platform; works for every exception, also one whose own methods raise.

    The class name is the error type, as in AWS's Python runtime. Chained causes and members of exception groups follow
    the frames in `stack_trace`, each below a line that names it.
    """
    frames = _user_frames(exc.__traceback__)
    if isinstance(exc, Fault):
        name = exc.fault_type
        trace = exc.stack_trace
    else:
        name = type(exc).__name__
        trace = None
    if trace is None:
        trace = _Trace().of(exc)
    return ErrorReport(name, safe_text(exc), request_id, trace, frames)


class _Frame:
    """One line of a traceback."""

    __slots__ = ("_globals", "line", "name", "path", "repeats", "skipped")

    def __init__(self, frame: FrameType, line: int) -> None:
        self.path = frame.f_code.co_filename
        self.name = frame.f_code.co_name
        self.line = line
        self.repeats = 0  # how often it came again right after
        self.skipped = 0  # how many frames were left out before it
        self._globals = frame.f_globals

    def is_again(self, frame: FrameType, line: int) -> bool:
        return line == self.line and frame.f_code.co_filename == self.path and frame.f_code.co_name == self.name

    def for_xray(self) -> dict[str, Any]:
        return {"label": _cut(self.name, _MAX_NAME), "path": _cut(self.path, _MAX_XRAY_TEXT), "line": self.line}

    def lines(self) -> Iterator[str]:
        if self.skipped:
            yield f"  ... {self.skipped} frames left out ...\n"
        source = linecache.getline(self.path, self.line, self._globals).strip()
        entry = f'  File "{self.path}", line {self.line}, in {self.name}\n'
        if source:
            entry += f"    {source}\n"
        for _ in range(min(self.repeats + 1, _MAX_REPEATS)):
            yield entry
        more = self.repeats + 1 - _MAX_REPEATS
        if more > 0:
            yield f"  [Previous line repeated {more} more time{'s' if more > 1 else ''}]\n"


class _Trace:
    """Collects the lines of an exception and of everything it leads to, each exception once."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._seen: set[int] = set()
        self._left = _MAX_EXCEPTIONS

    def of(self, exc: BaseException, number: str = "") -> list[str]:
        """Add `exc`; `number` is its place in the exception groups around it, such as `2.1.`."""
        self._seen.add(id(exc))
        self._left -= 1
        for frame in _user_frames(exc.__traceback__):
            self._lines.extend(frame.lines())
        self._lines.extend(f"Note: {safe_text(note)}\n" for note in _notes(exc))
        for place, member in enumerate(_members(exc), 1):
            if not self._linked(f"Exception {number}{place}", member, f"{number}{place}."):
                break
        cause, context = exc.__cause__, exc.__context__
        if cause is not None:
            self._linked("Caused by", cause, number)
        elif context is not None and not exc.__suppress_context__ and _user_frames(context.__traceback__):
            # Without a frame of the user it is ours: something we handled while the handler ran.
            self._linked("During handling of", context, number)
        return self._lines

    def _linked(self, relation: str, exc: BaseException, number: str) -> bool:
        if id(exc) in self._seen:
            return True
        if self._left == 0:
            self._lines.append("... more exceptions left out\n")
            self._left = -1
        if self._left < 0:
            return False
        self._lines.append(f"{relation}: {type(exc).__name__}: {safe_text(exc)}\n")
        self.of(exc, number)
        return True


def _notes(exc: BaseException) -> list[object]:
    try:
        return list(getattr(exc, "__notes__", ()))
    except TypeError:  # anybody may set it, to anything
        return []


def _members(exc: BaseException) -> tuple[BaseException, ...]:
    return getattr(exc, "exceptions", ()) if issubclass(type(exc), BaseExceptionGroup) else ()


def _user_frames(trace: TracebackType | None) -> list[_Frame]:
    """The frames that mean something to the handler's author.

    Ours and the import system's are left out, and what of the standard library comes before the first frame of theirs:
    it was called by us.
    """
    half = _MAX_FRAMES // 2
    first: list[_Frame] = []
    last: deque[_Frame] = deque(maxlen=half)
    newest: _Frame | None = None
    skipped = 0
    while trace is not None:
        frame, line = trace.tb_frame, trace.tb_lineno
        trace = trace.tb_next
        path = frame.f_code.co_filename
        if newest is not None and newest.is_again(frame, line):
            newest.repeats += 1
            continue
        if path.startswith((_OURS, "<frozen importlib")) or (newest is None and _is_standard_library(path)):
            continue
        newest = _Frame(frame, line)
        if len(first) < half:
            first.append(newest)
            continue
        skipped += len(last) == half
        last.append(newest)
    if skipped:
        last[0].skipped = skipped
    return [*first, *last]


def _is_standard_library(path: str) -> bool:
    return path.startswith("<frozen ") or (path.startswith(_STANDARD_LIBRARY) and not path.startswith(_SITE_PACKAGES))


def _cut_trace(entries: list[str]) -> list[str]:
    """Leave out the middle of a trace that is too long."""
    entries = [_cut(entry, _MAX_ENTRY) for entry in entries]
    if sum(map(len, entries)) <= _MAX_TRACE:
        return entries
    first, last = 0, len(entries)
    room = _MAX_TRACE // 2
    while len(entries[first]) <= room:
        room -= len(entries[first])
        first += 1
    room = _MAX_TRACE // 2
    while len(entries[last - 1]) <= room:
        last -= 1
        room -= len(entries[last])
    return [*entries[:first], f"... {last - first} lines left out ...\n", *entries[last:]]


def _cut(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    return f"{text[:limit]}... [{len(text) - limit} more characters]"


def users_part(trace: TracebackType | None) -> TracebackType | None:
    """Return `trace` from the first frame that is not ours; all of it when every frame is."""
    part = trace
    while part is not None and part.tb_frame.f_code.co_filename.startswith(_OURS):
        part = part.tb_next
    return part or trace


def safe_text(value: object) -> str:
    """Return `str(value)`, or a text that says why there is none."""
    try:
        return str(value)
    except Exception as error:
        return f"<{type(value).__name__} whose text raised {type(error).__name__}>"


def _with_category(error_type: str) -> str:
    """AWS wants `<category>.<Reason>`, and a header takes no arbitrary text."""
    if not (error_type.isascii() and error_type.replace(".", "_").isidentifier()):
        return "Function.Unknown"
    return error_type if "." in error_type else f"Function.{error_type}"


def _working_directory() -> str:
    try:
        return _cut(os.getcwd(), _MAX_XRAY_TEXT)
    except OSError:  # it was removed
        return ""
