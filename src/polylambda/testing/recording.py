"""What invocations log, kept for a test."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

from polylambda.logs import InvocationFilter

if TYPE_CHECKING:
    from collections.abc import Generator


class Recorder(logging.Handler):
    """Keeps log records, apart for each invocation."""

    def __init__(self) -> None:
        super().__init__()
        self._records: dict[str, list[logging.LogRecord]] = {}
        self.addFilter(InvocationFilter())

    def of(self, request_id: str) -> list[logging.LogRecord]:
        """Return the list in which the records of one invocation are kept."""
        return self._records.setdefault(request_id, [])

    def emit(self, record: logging.LogRecord) -> None:
        """Keep `record`."""
        self.of(getattr(record, "aws_request_id", "")).append(record)


@contextmanager
def recording() -> Generator[Recorder]:
    """Keep what is logged while the body runs."""
    recorder = Recorder()
    root = logging.getLogger()
    root.addHandler(recorder)
    try:
        yield recorder
    finally:
        root.removeHandler(recorder)
