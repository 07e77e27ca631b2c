"""Lambda's two log formats, text and JSON: what a record, an error or a printed line looks like.

The formats are those of AWS's Python runtime, byte for byte, so that what reads its logs reads ours
(https://docs.aws.amazon.com/lambda/latest/dg/python-logging.html). Nothing here writes: see `polylambda.sinks`.
"""

from __future__ import annotations

import logging
import time
from functools import cache

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Any

    from polylambda.context import LambdaContext
    from polylambda.report import ErrorReport

    ExceptionInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]

_TEXT = "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s\n"
_TEXT_TIME = "%Y-%m-%dT%H:%M:%S"
_JSON_TIME = "%Y-%m-%dT%H:%M:%SZ"
_INDENT = "\u00a0"  # leading blanks of a traceback survive in CloudWatch only when they do not break
_MAX_DEPTH = 50

# What every record has; the rest of a record was added by `extra` and is shown.
_STANDARD_FIELDS = frozenset([*vars(logging.makeLogRecord({})), "aws_request_id", "tenant_id"])


@cache
def _encoder() -> Callable[[object], str]:
    import json  # not needed for text, and slow to import

    # NaN and infinities are not JSON; they take the slow path and become text.
    return json.JSONEncoder(ensure_ascii=False, allow_nan=False, default=str).encode


class TextFormatter(logging.Formatter):
    """Formats a record as `[LEVEL]`, time in UTC, request id and message, separated by tabs."""

    converter = time.gmtime

    def __init__(self) -> None:
        super().__init__(_TEXT, _TEXT_TIME)

    def formatException(self, ei: ExceptionInfo) -> str:  # noqa: N802 logging's name
        """Return the traceback of an exception, from the user's first frame on."""
        return super().formatException((ei[0], ei[1], _users_part(ei[2])))  # pyright: ignore[reportArgumentType]


class JsonFormatter(logging.Formatter):
    """Formats a record as one line of JSON.

    A message that is a dict without arguments stays an object; what `extra` adds is at the top level, where it does
    not replace a field; fields that are None are left out; values that JSON cannot hold become text.
    """

    converter = time.gmtime

    def __init__(self) -> None:
        super().__init__(datefmt=_JSON_TIME)
        _encoder()  # now, not with the first line

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's line, with its newline."""
        msg: object = record.msg
        fields: dict[str, Any] = {
            "timestamp": self.formatTime(record, self.datefmt),
            "level": logging.getLevelName(_round_level(record.levelno)),
            "message": msg if isinstance(msg, dict) and not record.args else record.getMessage(),
            "logger": record.name,
            "stackTrace": None,  # here for its place
            "errorType": None,
            "errorMessage": None,
            "requestId": getattr(record, "aws_request_id", None),
            "location": None,
            "tenantId": getattr(record, "tenant_id", None),
        }
        if record.exc_info and record.exc_info[0] is not None:
            import traceback

            error_class, error, trace = record.exc_info
            fields["stackTrace"] = traceback.format_tb(_users_part(trace))
            fields["errorType"] = error_class.__name__
            fields["errorMessage"] = _safe_text(error)
            fields["location"] = f"{record.pathname}:{record.funcName}:{record.lineno}"
        for name, value in record.__dict__.items():
            if name not in _STANDARD_FIELDS and name not in fields:
                fields[name] = value
        return json_line({name: value for name, value in fields.items() if value is not None})


def json_line(fields: dict[str, Any]) -> str:
    """Return `fields` as one line of valid JSON with its newline, whatever the values are."""
    try:
        return _encoder()(fields) + "\n"
    except Exception:
        return _encoder()(_plain(fields, ())) + "\n"


def error_lines(report: ErrorReport) -> list[str]:
    """Return an uncaught exception as lines of text, `[ERROR] ValueError: bad` first."""
    first = f"[ERROR] {report.error_type}"
    if report.message:
        first += f": {report.message}"
    lines = first.splitlines()
    lines.append("Traceback (most recent call last):")
    for entry in report.stack_trace:
        for line in entry.splitlines():
            unindented = line.lstrip(" ")
            lines.append(_INDENT * (len(line) - len(unindented)) + unindented)
    return lines


def error_json(report: ErrorReport) -> str:
    """Return an uncaught exception as JSON, without a newline."""
    return _encoder()({"timestamp": _now(), "level": "ERROR", **report.fields()})


def print_json(text: str, level: int, context: LambdaContext | None) -> tuple[str, int]:
    """Return what was printed as a line of JSON, and its level.

    Text that already is a JSON object with a `level` or a `timestamp`, from a logger that writes to stdout, or with
    `_aws`, a metric in CloudWatch's embedded format, is returned as it is.
    """
    if text.startswith("{") and text.endswith("}"):
        import json

        try:
            found: dict[str, Any] = json.loads(text)
        except (ValueError, RecursionError):
            found = {}
        if "level" in found or "timestamp" in found or "_aws" in found:
            stated = logging.getLevelNamesMapping().get(str(found.get("level")).upper(), level)
            return text + "\n", stated
    fields: dict[str, Any] = {
        "timestamp": _now(),
        "level": logging.getLevelName(level),
        "message": text,
        "requestId": "" if context is None else context.aws_request_id,
    }
    if context is not None and context.tenant_id is not None:
        fields["tenantId"] = context.tenant_id
    return json_line(fields), level


def _now() -> str:
    return time.strftime(_JSON_TIME, time.gmtime())


def _round_level(level: int) -> int:
    return min(50, max(0, level)) // 10 * 10


def _plain(value: Any, parents: tuple[int, ...]) -> Any:
    """A copy of `value` that JSON can hold; `parents` are the containers around it."""
    if id(value) in parents:
        return "..."
    if len(parents) < _MAX_DEPTH:
        within = (*parents, id(value))
        if isinstance(value, dict):
            items: dict[Any, Any] = value  # pyright: ignore[reportUnknownVariableType]
            return {_safe_text(key): _plain(item, within) for key, item in items.items()}
        if isinstance(value, (list, tuple)):
            members: list[Any] = list(value)  # pyright: ignore[reportUnknownArgumentType]
            return [_plain(member, within) for member in members]
    try:
        _encoder()(value)
    except Exception:
        return _safe_text(value)
    return value


def _users_part(trace: TracebackType | None) -> TracebackType | None:
    from polylambda.report import users_part

    return users_part(trace)


def _safe_text(value: object) -> str:
    from polylambda.report import safe_text

    return safe_text(value)
