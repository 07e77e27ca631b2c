"""The socket through which each worker process of a runtime writes its log, so that their lines do not mix.

A worker makes one connection for its stdout and one for its stderr; what comes over one is lines.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Self, cast

from polylambda.plane.agent.stale import name_of, remove_stale

if TYPE_CHECKING:
    from collections.abc import Callable

VARIABLE = "_LAMBDA_TELEMETRY_LOG_FD_PROVIDER_SOCKET"
MAX_LINE = 256 * 1024  # bytes; a longer line is passed on in pieces
LAST_WORDS = 1.0  # seconds for the rest of what was written, when the environment ends
MAX_FOLDER = 56  # bytes of a folder for temporary files that leave room for ours: a socket's path has a hundred at most
SHORT_FOLDER = Path("/tmp")  # noqa: S108 # what is made in it has a name that nobody can foresee


def make_folder() -> Path:
    """Make a folder for this agent's sockets, whose paths must be short; remove those of agents that were killed."""
    parent = Path(tempfile.gettempdir())
    if len(os.fsencode(parent)) > MAX_FOLDER:
        parent = SHORT_FOLDER
    remove_stale(parent, lambda left: shutil.rmtree(left, ignore_errors=True))
    return Path(tempfile.mkdtemp(prefix=name_of(""), dir=parent))


class LogSocket:
    """Listen for workers: `async with LogSocket(path, log.output)`."""

    def __init__(self, path: Path, on_line: Callable[[str, bytes], None]) -> None:
        """Listen at `path`; give each line to `on_line`, without its line end, behind the name of its stream."""
        self.path = path
        self._on_line = on_line
        self._server: asyncio.Server | None = None
        self._connections: set[_Worker] = set()

    async def __aenter__(self) -> Self:
        """Listen. Raises OSError."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_unix_server(lambda: _Worker(self._on_line, self._connections), str(self.path))
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Read what is left, and stop."""
        assert self._server is not None
        self._server.close()
        self.path.unlink(missing_ok=True)
        if self._connections:
            await asyncio.wait([worker.ended for worker in self._connections], timeout=LAST_WORDS)
        for worker in self._connections:
            worker.abort()


class _Worker(asyncio.Protocol):
    """One stream of one worker."""

    def __init__(self, on_line: Callable[[str, bytes], None], connections: set[_Worker]) -> None:
        self._on_line = on_line
        self._connections = connections
        self._line = b""
        self._transport: asyncio.Transport | None = None
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def abort(self) -> None:
        """Listen no longer."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._connections.add(self)

    def data_received(self, data: bytes) -> None:
        *lines, self._line = (self._line + data).split(b"\n")
        for line in lines:
            self._on_line("worker", line)
        if len(self._line) > MAX_LINE:
            self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._line:
            self._flush()
        self._transport = None
        self._connections.discard(self)
        self.ended.set_result(None)

    def _flush(self) -> None:
        line, self._line = self._line, b""
        self._on_line("worker", line)
