"""Handlers of one process that have answered and go on without a slot, up to a bound."""

from __future__ import annotations

import asyncio


class Background:
    """Bounds the background work of a process, and ends it with the process.

    On managed instances an environment is never frozen: what a handler does after its answer need not keep its slot.
    """

    def __init__(self, limit: int) -> None:
        """Allow `limit` handlers at once; one more keeps its slot, which slows down whoever answers faster than works."""
        self._limit = limit
        self._tasks: set[asyncio.Task[object]] = set()

    def take(self, task: asyncio.Task[object]) -> bool:
        """Say whether a handler's task may go on in the background, and if so, count it."""
        if task in self._tasks or len(self._tasks) >= self._limit:
            return False
        self._tasks.add(task)
        return True

    def give_back(self, task: asyncio.Task[object]) -> None:
        """The task is over."""
        self._tasks.discard(task)

    async def join(self) -> None:
        """Wait until all of it is over."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def cancel(self, reason: str) -> None:
        """Cancel all of it."""
        for task in self._tasks:
            task.cancel(reason)
