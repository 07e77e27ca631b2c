"""Logging and printing as Lambda does them: one handler on the root logger, every line with its invocation.

`setup` connects the standard library's `logging`, `print` and uncaught exceptions to one sink. Nothing is kept per
invocation: what a line says of its invocation comes from the context variable `polylambda.context.CURRENT`, so any
number of invocations can log at once, and one that logs nothing pays nothing.
"""

from __future__ import annotations

import logging
import sys

from polylambda import formats
from polylambda.context import CURRENT
from polylambda.sinks import STDOUT, LineSink, open_sink
from polylambda.stdio import PlainStream, RecordStream

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO

    from polylambda.context import LambdaContext
    from polylambda.report import ErrorReport
    from polylambda.settings import Settings
    from polylambda.sinks import Sink
    from polylambda.stdio import LineStream

logger = logging.getLogger("polylambda")
"""For what the runtime itself has to say."""

# Names that AWS and other loggers know and Python does not. NOTICE is more than INFO and less than WARNING; the lower
# of the two loses nothing.
_MORE_LEVELS = {"TRACE": logging.DEBUG, "NOTICE": logging.INFO}
_LEVEL_NAMES = ("TRACE", "DEBUG", "INFO", "NOTICE", "WARN", "WARNING", "ERROR", "FATAL", "CRITICAL")


class InvocationFilter(logging.Filter):
    """Puts `aws_request_id` (empty outside an invocation) and `tenant_id` (None without one) on every record."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Mark the record; let it pass."""
        context = CURRENT.get()
        if context is None:
            record.aws_request_id = ""
            record.tenant_id = None
        else:
            record.aws_request_id = context.aws_request_id
            record.tenant_id = context.tenant_id
        return True


class LambdaHandler(logging.Handler):
    """Formats records and hands them to a sink; another formatter may be set."""

    def __init__(self, sink: Sink, *, as_json: bool, leveled: bool) -> None:
        """Write to `sink`; unless `leveled`, frames of text say no level, as under AWS's runtime."""
        super().__init__()
        self.sink = sink
        self.setFormatter(formats.JsonFormatter() if as_json else formats.TextFormatter())
        self.addFilter(InvocationFilter())
        self._leveled = leveled

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record. A message that does not go with its arguments is written with them beside it."""
        try:
            try:
                text = self.format(record)
            except Exception:
                text = self.format(_without_arguments(record))
        except Exception:
            self.handleError(record)
            return
        as_json = isinstance(self.formatter, formats.JsonFormatter)
        self.sink.write(text, record.levelno if as_json or self._leveled else logging.NOTSET, as_json=as_json)


class _Connections:
    """What `setup` connected, and how to undo it."""

    def __init__(self, sink: Sink, *, as_json: bool, tag: bool = False) -> None:
        self.sink = sink
        self.as_json = as_json
        self.tag = tag
        self.streams: list[LineStream] = []
        self._originals: dict[str, TextIO] = {}
        self._handler: LambdaHandler | None = None
        self._filter = InvocationFilter()
        self._filtered: list[logging.Handler] = []
        self._levels: tuple[int, int] | None = None  # before, and what was set

    def add_handler(self, *, leveled: bool) -> None:
        root = logging.getLogger()
        if not root.handlers:
            self._handler = LambdaHandler(self.sink, as_json=self.as_json, leveled=leveled)
            root.addHandler(self._handler)
            return
        for handler in root.handlers:
            handler.addFilter(self._filter)
            self._filtered.append(handler)

    def set_level(self, level: int) -> None:
        root = logging.getLogger()
        if root.level == logging.WARNING:  # Python's own default, so nobody chose it
            self._levels = root.level, level
            root.setLevel(level)

    def replace_stream(self, name: str, stream: LineStream) -> None:
        self._originals[name] = getattr(sys, name)
        self.streams.append(stream)
        setattr(sys, name, stream)

    def undo(self) -> None:
        for stream in self.streams:
            stream.finish_all()
        for name, original in self._originals.items():
            if getattr(sys, name) in self.streams:  # else somebody replaced it again
                setattr(sys, name, original)
        root = logging.getLogger()
        if self._handler is not None:
            root.removeHandler(self._handler)
        for handler in self._filtered:
            handler.removeFilter(self._filter)
        if self._levels is not None and root.level == self._levels[1]:
            root.setLevel(self._levels[0])


_connections = _Connections(LineSink(STDOUT), as_json=False)


def setup(settings: Settings, *, default_level: int | None = None, tag: bool = False) -> Sink:
    """Connect `logging`, `sys.stdout` and `sys.stderr` to the sink that `settings` name, and return it.

    The format is JSON when `AWS_LAMBDA_LOG_FORMAT` says so in any case, else text. The level of the root logger is
    `AWS_LAMBDA_LOG_LEVEL`, else `LOG_LEVEL`, else `default_level`, else Python's own; a value that is no level is
    passed over, with one warning. Who configured the root logger before keeps what they chose: their level stays, and
    with handlers of theirs ours is not added, but theirs get the request id on their records.

    With JSON, what is printed becomes records: level INFO for stdout, WARNING for stderr, where libraries put
    warnings and progress more often than errors. With text, or with `capture_print` off, it is written as it is.

    With `tag`, which environments with several slots need, lines that are written as they are get the request id in front
    of them, unless they are JSON; so do errors as text.

    May be called again: what was connected before is disconnected first.

    Raises:
        ConfigurationError: the log descriptor is not the number of an open descriptor.
    """
    global _connections
    sink = open_sink(settings.log_fd)
    teardown()
    as_json = (settings.log_format or "").strip().upper() == "JSON"
    level, unknown = _choose_level(
        {"AWS_LAMBDA_LOG_LEVEL": settings.log_level, "LOG_LEVEL": settings.log_level_fallback}
    )
    connections = _connections = _Connections(sink, as_json=as_json, tag=tag)
    connections.add_handler(leveled=as_json or level is not None)
    for name, record_level in (("stdout", logging.INFO), ("stderr", logging.WARNING)):
        original: TextIO = getattr(sys, name)
        if as_json and settings.capture_print:
            connections.replace_stream(name, RecordStream(original, sink, record_level))
        elif (fd := _descriptor(original)) is not None:
            connections.replace_stream(name, PlainStream(original, fd, tag=tag))
    if unknown:  # before the level is set, which might hide it
        logger.warning("%s: not a log level; use one of %s", unknown, ", ".join(_LEVEL_NAMES))
    if level is None:
        level = default_level
    if level is not None:
        connections.set_level(level)
    return sink


def teardown() -> None:
    """Undo `setup`: remove the handler, give back the streams and the level."""
    global _connections
    _connections.undo()
    _connections = _Connections(LineSink(STDOUT), as_json=False)


def write(text: str) -> None:
    """Write `text` to the log as it is, in either format."""
    _connections.sink.write(text)


def log_error(report: ErrorReport) -> None:
    """Write an uncaught exception to the log, as AWS's runtime does."""
    sink = _connections.sink
    if _connections.as_json:
        sink.write(formats.error_json(report), logging.ERROR, as_json=True)
    else:
        mark = f"{report.request_id}\t" if _connections.tag and report.request_id else ""
        sink.write(mark + sink.separator.join(formats.error_lines(report)), logging.ERROR)


def end_invocation(context: LambdaContext) -> None:
    """Write what the invocation printed without ending its line."""
    for stream in _connections.streams:
        if stream.partial:
            stream.finish(context)


def _choose_level(settings: dict[str, str | None]) -> tuple[int | None, str]:
    """The first setting that names a level, and the text of those before it that do not."""
    levels = {**logging.getLevelNamesMapping(), **_MORE_LEVELS}
    unknown: list[str] = []
    for setting, value in settings.items():
        if not value:
            continue
        level = levels.get(value.strip().upper())
        if level is not None:
            return level, ", ".join(unknown)
        unknown.append(f"{setting}={value!r}")
    return None, ", ".join(unknown)


def _descriptor(stream: TextIO) -> int | None:
    try:
        return stream.fileno()
    except (AttributeError, OSError, ValueError):  # not a file
        return None


def _without_arguments(record: logging.LogRecord) -> logging.LogRecord:
    from polylambda.report import safe_text

    copy = logging.makeLogRecord(record.__dict__)
    copy.msg = safe_text(record.msg)
    if record.args:
        copy.msg += f" {safe_text(record.args)}"
        copy.args = None
    return copy
