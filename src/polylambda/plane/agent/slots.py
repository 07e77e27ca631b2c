"""The slots of one environment: a broker that takes an invocation only when the runtime gets it at once, or nearly so."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from polylambda.server.broker import Broker

if TYPE_CHECKING:
    from polylambda.server.broker import Poll

BETWEEN_POLLS = 0.25  # seconds that a runtime may take from its answer to its next poll


class SlotBroker(Broker):
    """A broker without a queue.

    The plane counts a slot as free once it has the answer, and the runtime's next poll is on its way then, or the runtime
    waits for its share of the CPU. So an invocation waits for a moment while fewer are held than there are slots, but
    none is ever held above that, however many polls a runtime sends ahead.
    """

    def __init__(self, slots: int) -> None:
        """Make a broker for `slots` invocations at once."""
        super().__init__(queue_limit=0, max_concurrency=slots)
        self._slots = slots
        self._waiters: deque[asyncio.Future[None]] = deque()

    @property
    def polls(self) -> int:
        """How many slots of the runtime wait for an invocation."""
        return len(self._polls)

    def poll(self, poll: Poll) -> None:
        """Take a poll, as `Broker.poll` does, and let somebody go on who waits for it."""
        super().poll(poll)
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
                break

    def close(self) -> None:
        """Refuse what comes, as `Broker.close` does, and who waits."""
        super().close()
        for waiter in self._waiters:
            waiter.cancel()

    async def room(self) -> bool:
        """Say whether an invocation would be delivered at once: invoke right after this. It may wait for a moment."""
        if self._closed:
            return False
        if self._polls and not self._waiters and self._ledger.busy < self._slots:
            return True
        if self._ledger.busy + len(self._waiters) >= self._slots:
            return False
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()
        self._waiters.append(waiter)
        timer = loop.call_later(BETWEEN_POLLS, waiter.cancel)
        try:
            await asyncio.wait([waiter])
        finally:
            timer.cancel()
            self._waiters.remove(waiter)
        return not waiter.cancelled() and bool(self._polls) and self._ledger.busy < self._slots
