"""The slots of a process whose handler is `async def`: one event loop, a connection for each slot, no threads."""

from __future__ import annotations

import asyncio
import logging
import time

from polylambda.errors import RuntimeApiError
from polylambda.rapi.spares import Spares
from polylambda.runtime.async_worker import AsyncWorker
from polylambda.runtime.background import Background

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from polylambda.handlers import Handler
    from polylambda.rapi.address import Address
    from polylambda.runtime.limits import Limits
    from polylambda.runtime.share import Share
    from polylambda.settings import Settings

_log = logging.getLogger("polylambda")

_FEW = 16  # slots
_TICK = 0.1  # seconds between looks at the deadlines: one timer for all slots, none for each invocation
_RETRY = 1.0  # seconds before a slot whose connection fails again and again is tried anew


class AsyncPool:
    """Serves the slots of this process until it is stopped. Make it on the running loop."""

    def __init__(
        self, address: Address, handler: Handler, settings: Settings, limits: Limits, share: Share, *, state: Any
    ) -> None:
        """Take what to serve; `run` puts the slots to work."""
        self._loop = asyncio.get_running_loop()
        self._limits = limits
        self._stopped = asyncio.Event()
        self._failing = 0
        self._fatal: BaseException | None = None
        self._background = Background(limits.max_background if limits.max_background is not None else len(share.slots))
        # Among many slots there is nearly always another one with a poll; a keeper keeps account of one connection a slot.
        few = len(share.slots) <= _FEW and share.keeper(share.slots.start) is None
        self._spares = Spares(address) if settings.poll_first and few else None
        self._workers = [
            AsyncWorker(
                address,
                handler,
                settings,
                state=state,
                slot=slot,
                keeper=share.keeper(slot),
                spares=self._spares,
                background=self._background,
            )
            for slot in share.slots
        ]
        self._sweeper: asyncio.TimerHandle | None = None
        self._last_call: asyncio.TimerHandle | None = None

    async def run(self) -> None:
        """Serve until `stop`, then let what is under way finish within the grace.

        Raises:
            RuntimeApiError: no slot can reach the Runtime API any more.
            SystemExit, KeyboardInterrupt: a handler raised it, and the others had the grace to finish. Or `abort` was called.
        """
        if self._limits.cancel_at_deadline:
            self._sweep()
        slots = [self._loop.create_task(self._keep(worker)) for worker in self._workers]
        try:
            done, _ = await asyncio.wait(slots, return_when=asyncio.FIRST_EXCEPTION)
            failed = [error for task in done if (error := task.exception()) is not None]
            if failed:
                self.stop()
                await asyncio.wait(slots)
            await self._background.join()
            if self._fatal is not None:
                raise self._fatal
            if failed:
                raise failed[0]
        finally:
            for timer in (self._sweeper, self._last_call):
                if timer is not None:
                    timer.cancel()
            for task in slots:
                task.cancel()
            await asyncio.gather(*slots, return_exceptions=True)
            if self._spares is not None:
                self._spares.close()

    def stop(self) -> None:
        """Take no more events; what is under way, background work too, may take as long as the grace."""
        if self._stopped.is_set():
            return
        self._stopped.set()
        for worker in self._workers:
            worker.stop()
        self._last_call = self._loop.call_later(self._limits.shutdown_grace, self._cancel_all)

    def abort(self, reason: SystemExit) -> None:
        """Stop with `reason` at once: what is under way is cancelled."""
        self._fatal = reason
        self.stop()
        self._cancel_all()

    def _cancel_all(self) -> None:
        reason = "the environment is about to end"
        for worker in self._workers:
            worker.cancel(reason)
        self._background.cancel(reason)

    async def _keep(self, worker: AsyncWorker) -> None:
        """Keep one slot at work. A slot that cannot connect is tried again, as long as another one can."""
        while True:
            try:
                return await worker.run()
            except RuntimeApiError as error:
                if self._stopped.is_set():
                    return None
                self._failing += 1
                if self._failing == len(self._workers):
                    raise
                _log.warning("a slot has no connection, trying again: %s", error)
            except (SystemExit, KeyboardInterrupt) as error:
                # A task must not raise these: the loop would end at once, and every other invocation with it.
                self._fatal = error
                self.stop()
                return None
            try:
                async with asyncio.timeout(_RETRY):
                    await self._stopped.wait()
                return None
            except TimeoutError:
                self._failing -= 1

    def _sweep(self) -> None:
        """Cancel what is past its deadline."""
        due = time.time() - self._limits.deadline_grace
        for worker in self._workers:
            context = worker.context
            if context is not None and context.deadline < due:
                # One that goes on nevertheless is cancelled again at every tick: it cannot keep its slot for ever.
                worker.cancel("the deadline has passed", overdue=True)
        self._sweeper = self._loop.call_later(_TICK, self._sweep)
