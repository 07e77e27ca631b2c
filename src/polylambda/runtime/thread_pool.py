"""The slots of a process whose handler is `def` and declared safe: a thread and a connection for each."""

from __future__ import annotations

import logging
import sys
import threading
import time
from contextvars import copy_context

from polylambda.errors import RuntimeApiError
from polylambda.rapi.blocking import BlockingClient
from polylambda.runtime.worker import Worker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from polylambda.context import LambdaContext
    from polylambda.handlers import Handler
    from polylambda.rapi.address import Address
    from polylambda.rapi.events import Invocation
    from polylambda.runtime.limits import Limits
    from polylambda.runtime.share import Share
    from polylambda.settings import Settings

_log = logging.getLogger("polylambda")

_TICK = 0.1  # seconds between looks at the deadlines
_RETRY = 1.0  # seconds before a slot whose connection fails again and again is tried anew


class ThreadPool:
    """Serves the slots of this process until it is stopped. The main thread looks after them and takes the signals."""

    def __init__(
        self, address: Address, handler: Handler, settings: Settings, limits: Limits, share: Share, *, state: Any
    ) -> None:
        """Take what to serve; `run` puts the slots to work."""
        self._limits = limits
        self._changed = threading.Event()  # a thread has ended, or we were told to stop
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._failing = 0
        self._failure: BaseException | None = None
        self._aborted: SystemExit | None = None
        self._reported: set[LambdaContext] = set()  # handlers that are past their deadline
        self._slots: list[tuple[BlockingClient, Worker]] = []
        for slot in share.slots:
            client = BlockingClient(
                address, pipelining=settings.pipelining, poll_first=settings.poll_first, keeper=share.keeper(slot)
            )
            self._slots.append((client, ContextWorker(client, handler, settings, state=state, slot=slot)))

    def run(self) -> None:
        """Serve until `stop`, then let what is under way finish within the grace.

        Raises:
            RuntimeApiError: no slot can reach the Runtime API any more.
            SystemExit: a handler raised it, `abort` was called, or the grace was not enough.
        """
        # Daemons: a handler that never returns must not keep the process from ending.
        threads = [
            threading.Thread(target=self._keep, args=slot, name=f"slot-{number}", daemon=True)
            for number, slot in enumerate(self._slots)
        ]
        for thread in threads:
            thread.start()
        end = float("inf")
        while any(thread.is_alive() for thread in threads):
            self._changed.wait(_TICK)
            self._changed.clear()
            if self._failure is not None:
                self.stop()
            if self._stopped.is_set():
                end = min(end, time.monotonic() + self._limits.shutdown_grace)
            if self._aborted is not None:
                raise self._aborted
            if time.monotonic() > end:
                raise SystemExit(1)
            self._report_overdue({thread.name: thread.ident for thread in threads})
        for thread in threads:
            thread.join()
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """Take no more events; what is under way may take as long as the grace."""
        self._stopped.set()
        for client, _ in self._slots:
            client.stop()
        self._changed.set()

    def abort(self, reason: SystemExit) -> None:
        """Stop with `reason` at once: a thread cannot be cancelled, so what is under way is left behind."""
        self._aborted = reason
        self.stop()

    def _keep(self, client: BlockingClient, worker: Worker) -> None:
        """Keep one slot at work. A slot that cannot connect is tried again, as long as another one can."""
        try:
            while True:
                try:
                    worker.run()
                    return
                except RuntimeApiError as error:
                    with self._lock:
                        self._failing += 1
                        if self._failing == len(self._slots):
                            raise
                    _log.warning("a slot has no connection, trying again: %s", error)
                if self._stopped.wait(_RETRY):
                    return
                with self._lock:
                    self._failing -= 1
        except BaseException as error:  # whatever it is, the process ends with it
            self._failure = self._failure or error
        finally:
            if "polylambda.loop" in sys.modules:  # the handler may have hidden a coroutine
                from polylambda import loop

                loop.close()
            self._changed.set()

    def _report_overdue(self, idents: dict[str, int | None]) -> None:
        """Say which handlers are past their deadline, once for each, and where they are."""
        due = time.time() - self._limits.deadline_grace
        overdue = {
            context: number
            for number, (_, worker) in enumerate(self._slots)
            if (context := worker.context) is not None and context.deadline < due
        }
        for context in overdue.keys() - self._reported:
            import traceback

            # The one way to see another thread's stack; it is documented.
            frames = sys._current_frames()  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
            frame = frames.get(idents[f"slot-{overdue[context]}"] or 0)
            stack = "".join(traceback.format_stack(frame)) if frame is not None else ""
            _log.error(
                "invocation %s is past its deadline and keeps its slot (%d of %d slots are stuck):\n%s",
                context.aws_request_id,
                len(overdue),
                len(self._slots),
                stack,
            )
        self._reported = set(overdue)


class ContextWorker(Worker):
    """A worker whose invocations have context variables of their own, though they share a thread."""

    def serve(self, invocation: Invocation) -> None:
        """Handle one invocation in a fresh context."""
        copy_context().run(super().serve, invocation)
