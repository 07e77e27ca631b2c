"""`sys.stdout` and `sys.stderr` as a handler sees them: whole lines at once, each invocation's apart.

What writes to the descriptors beneath, such as C code or `faulthandler`, does not come here.
"""

from __future__ import annotations

from _thread import get_ident

from polylambda import formats
from polylambda.context import CURRENT
from polylambda.sinks import LineSink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, TextIO

    from polylambda.context import LambdaContext
    from polylambda.sinks import Sink

_MAX_PARTIAL = 64 * 1024  # characters


class LineStream:
    """A text stream that writes what it is given once that ends in a newline, straight to its destination.

    Text without one waits for the rest of its line or the end of its invocation, apart from what other invocations and
    other threads write. Everything else (`isatty`, `fileno`, `encoding`, `buffer`, ...) is that of the stream it stands
    for.

    Attributes:
        partial: what waits, by thread and invocation.
    """

    def __init__(self, original: TextIO) -> None:
        self._original = original
        self.partial: dict[tuple[int, LambdaContext | None], str] = {}

    def emit(self, text: str, context: LambdaContext | None) -> None:
        """Write `text`, which `context` printed, to the destination."""
        raise NotImplementedError

    def write(self, text: str) -> int:
        """Write `text` and return its length."""
        if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        context = CURRENT.get()
        key = (get_ident(), context)
        whole = self.partial.pop(key, "") + text if self.partial else text
        if whole.endswith("\n") or len(whole) > _MAX_PARTIAL:
            self.emit(whole, context)
        elif whole:
            self.partial[key] = whole
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write each of `lines`, which bring their own newlines."""
        for line in lines:
            self.write(line)

    def finish(self, context: LambdaContext | None) -> None:
        """End the lines that `context` began, when its invocation is over."""
        for key in list(self.partial):
            if key[1] is context:
                self._end(key)

    def finish_all(self) -> None:
        """End every line that was begun."""
        for key in list(self.partial):
            self._end(key)

    def _end(self, key: tuple[int, LambdaContext | None]) -> None:
        text = self.partial.pop(key, "")
        if text:
            self.emit(text + "\n", key[1])

    def __getattr__(self, name: str) -> Any:
        return getattr(self._original, name)


class PlainStream(LineStream):
    """Writes lines as they are, or with the request id in front."""

    def __init__(self, original: TextIO, fd: int, *, tag: bool = False) -> None:
        """Stand for `original`, whose descriptor is `fd`; with `tag`, put the request id before lines that are no JSON."""
        super().__init__(original)
        self._sink = LineSink(fd)
        self._tag = tag

    def emit(self, text: str, context: LambdaContext | None) -> None:
        """Write `text` to the descriptor."""
        if self._tag and context is not None and not text.startswith("{"):
            mark = context.aws_request_id + "\t"
            text = mark + text[:-1].replace("\n", "\n" + mark) + text[-1:]
        self._sink.write_raw(text)

    def flush(self) -> None:
        """Write what waits in this thread for its newline, unless other invocations could go on with the line."""
        if self.partial and not self._tag:
            context = CURRENT.get()
            text = self.partial.pop((get_ident(), context), "")
            if text:
                self.emit(text, context)
        self._original.flush()


class RecordStream(LineStream):
    """Makes a JSON record of what is printed, with the id of the invocation that printed it.

    What one `print` writes is one record, also when it has several lines. `flush` does not end a record: progress dots
    stay together.
    """

    def __init__(self, original: TextIO, sink: Sink, level: int) -> None:
        """Stand for `original`; write records of `level` to `sink`."""
        super().__init__(original)
        self._sink = sink
        self._level = level

    def emit(self, text: str, context: LambdaContext | None) -> None:
        """Write the record of `text`; an empty line makes none."""
        text = text.rstrip("\n")
        if text:
            line, level = formats.print_json(text, self._level, context)
            self._sink.write(line, level, as_json=True)
