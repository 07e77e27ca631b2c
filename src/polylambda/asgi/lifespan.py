"""An application's lifespan: https://asgi.readthedocs.io/en/latest/specs/lifespan.html."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from polylambda.asgi.protocol import versions

if TYPE_CHECKING:
    from polylambda.asgi.protocol import Application, Message

_log = logging.getLogger("polylambda")

AUTO = "auto"
ON = "on"
OFF = "off"
MODES = (AUTO, ON, OFF)


class LifespanFailed(Exception):
    """The application said that it could not start, or end, in its own words; or it did not say that it had started."""


class Startup:
    """Starts an application, and ends it: an asynchronous context manager whose value is the lifespan's state.

    The application's lifespan runs in one task from start to end.
    """

    def __init__(self, app: Application, state: dict[str, Any], *, required: bool) -> None:
        """Take an application.

        Args:
            app: the application.
            state: what it begins with; it may add to it.
            required: an application whose lifespan raises, or ends, before it has said that it started cannot start.
        """
        self._app = app
        self._state = state
        self._required = required
        self._started = asyncio.Event()
        self._ending = asyncio.Event()
        self._ended = asyncio.Event()
        self._failure: BaseException | None = None
        self._asked = 0
        self._task: asyncio.Task[None]

    async def __aenter__(self) -> dict[str, Any]:
        """Start it.

        Raises:
            LifespanFailed: it said that it could not start, or said nothing when its lifespan is required.
            Exception: its own, when its lifespan is required.
        """
        self._task = asyncio.create_task(self._run(), name="asgi lifespan")
        await self._started.wait()
        if self._failure is not None:
            await self._end()
            raise self._failure
        return self._state

    async def __aexit__(self, *outcome: object) -> None:
        """End it.

        Raises:
            LifespanFailed: it said that it could not.
            Exception: its own.
        """
        self._ending.set()
        await self._ended.wait()
        await self._end()
        if self._failure is not None:
            raise self._failure

    async def _end(self) -> None:
        """Have the task end; it has said all that it had to say."""
        await asyncio.sleep(0)  # nearly all do by themselves
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _run(self) -> None:
        try:
            await self._app({"type": "lifespan", "asgi": versions(), "state": self._state}, self._receive, self._send)
        except Exception as error:
            if self._started.is_set():
                self._failure = self._failure or error
            elif self._failure is None and self._required:
                self._failure = error
            elif self._failure is None:
                _log.info("the application has no lifespan: %r", error)
        else:
            if self._required and not self._started.is_set():
                self._failure = LifespanFailed(
                    "the application's lifespan ended without lifespan.startup.complete: make the application send it, or "
                    'use lifespan="auto" or "off"'
                )
        finally:
            self._started.set()
            self._ended.set()

    async def _receive(self) -> Message:
        self._asked += 1
        if self._asked == 1:
            return {"type": "lifespan.startup"}
        await self._ending.wait()
        return {"type": "lifespan.shutdown"}

    async def _send(self, message: Message) -> None:
        kind = message["type"]
        if kind == "lifespan.startup.complete":
            self._started.set()
        elif kind == "lifespan.shutdown.complete":
            self._ended.set()
        elif kind in ("lifespan.startup.failed", "lifespan.shutdown.failed"):
            self._failure = LifespanFailed(message.get("message") or f"the application sent {kind}")
            if kind == "lifespan.startup.failed":
                self._started.set()
            else:
                self._ended.set()
        else:
            raise RuntimeError(f"the application sent {kind!r} in its lifespan")
