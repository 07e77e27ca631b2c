"""The agent's events on their way to the plane: gathered for a moment, kept while nobody listens, bounded."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import msgspec

from polylambda.plane.agent.protocol import EnvironmentChanged, Event, LogRecord, encode_event
from polylambda.plane.clock import timestamp

if TYPE_CHECKING:
    from polylambda.plane.agent.http import Connection

PAUSE = 0.01  # seconds for which events are gathered, so that a busy function's log costs few writes
MAX_BACKLOG = 16 * 1024 * 1024  # bytes that wait for the plane; log records beyond are dropped, and counted
NDJSON = "application/x-ndjson"


class Events:
    """Take events, and send them to the one connection that follows them."""

    def __init__(self) -> None:
        self._waiting: list[bytes] = []
        self._size = 0
        self._connection: Connection | None = None
        self._flush: asyncio.Handle | None = None
        self._dropped: dict[str, tuple[int, int]] = {}  # environment: records, bytes
        self.unheard_since: float | None = time.monotonic()
        """When the last connection went away (monotonic seconds); None while there is one."""

    def emit(self, event: Event) -> None:
        """Take an event. Changes are sent at once, everything else with what follows soon."""
        line = encode_event(event)
        if type(event) is LogRecord and self._backlog + len(line) > MAX_BACKLOG:
            records, size = self._dropped.get(event.id, (0, 0))
            self._dropped[event.id] = records + 1, size + len(line)
            return
        self._waiting.append(line)
        self._size += len(line)
        urgent = type(event) is EnvironmentChanged
        if self._flush is not None:
            if not urgent:
                return
            self._flush.cancel()
        loop = asyncio.get_running_loop()
        self._flush = loop.call_soon(self._send) if urgent else loop.call_later(PAUSE, self._send)

    def follow(self, connection: Connection) -> None:
        """Send events to `connection` from now on. Who followed them before is hung up on."""
        before, self._connection = self._connection, connection
        if before is not None:
            before.abort()
        self.unheard_since = None
        connection.begin(200, content_type=NDJSON, on_lost=lambda: self._lost(connection))
        self._send()

    def close(self) -> None:
        """Send what there is, and end the stream."""
        self._send()
        if self._flush is not None:
            self._flush.cancel()
        if self._connection is not None:
            self._connection.finish()
            self._connection = None

    @property
    def _backlog(self) -> int:
        return self._size + (self._connection.backlog if self._connection is not None else 0)

    def _lost(self, connection: Connection) -> None:
        if connection is self._connection:
            self._connection = None
            self.unheard_since = time.monotonic()

    def _send(self) -> None:
        self._flush = None
        if self._connection is None:
            return
        if self._dropped and self._backlog < MAX_BACKLOG // 2:
            self._tell_dropped()
        data = b"".join(self._waiting)
        self._waiting.clear()
        self._size = 0
        self._connection.write(data)

    def _tell_dropped(self) -> None:
        for environment, (records, size) in self._dropped.items():
            record = {"reason": "the plane does not keep up", "droppedRecords": records, "droppedBytes": size}
            line = {"time": timestamp(), "type": "platform.logsDropped", "record": record}
            event = LogRecord(environment, msgspec.Raw(msgspec.json.encode(line)))
            self._waiting.append(encode_event(event))
        self._dropped.clear()
