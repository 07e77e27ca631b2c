"""The parent of the worker processes: it starts them, replaces those that die, and answers for what they held.

It runs none of the function's code and opens no connection of its own while all goes well. Read `Supervisor.run` from top
to bottom.
"""

from __future__ import annotations

import logging
import os
import select
import signal
import socket
import time

from polylambda.errors import PolylambdaError, RuntimeApiError
from polylambda.rapi import headers as names
from polylambda.rapi.blocking import BlockingClient
from polylambda.rapi.wire import Invocation
from polylambda.report import ErrorReport
from polylambda.runtime.board import BUSY, POLLING, Board
from polylambda.runtime.keeper import SLOT_BYTES, SlotKeeper

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from polylambda.rapi.address import Address
    from polylambda.runtime.layout import Layout
    from polylambda.settings import Settings

    Work = Callable[[int, list[SlotKeeper]], int]

_log = logging.getLogger("polylambda")

_DELAYS = (0.0, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2)  # seconds before a worker is replaced, by its failures in a row
_MAX_FAILED_STARTS = 3  # in a row, by one worker, before it ever polled
_SETTLED = 5.0  # seconds after which a worker that dies has not failed to start
_TICK = 0.25  # seconds between looks at deadlines
_CHANNEL_BYTES = 64


class _Worker:
    """One worker process."""

    __slots__ = ("due", "failures", "number", "pid", "polled", "started")

    def __init__(self, number: int) -> None:
        self.number = number
        self.pid = 0  # 0: not running
        self.started = 0.0
        self.polled = False
        self.failures = 0
        self.due = 0.0  # when to start it again


class Supervisor:
    """Keeps the worker processes of one environment at work.

    Use it in a process with one thread, before the function's code was imported, unless that is meant to be shared.
    """

    def __init__(self, address: Address, layout: Layout, settings: Settings, work: Work) -> None:
        """Describe the workers; `run` starts them.

        Args:
            address: the Runtime API's.
            layout: how many workers, and their slots.
            settings: the environment's.
            work: what a worker does, in its own process: it takes its number and its slots' keepers and returns its exit code.
        """
        self._address = address
        self._layout = layout
        self._settings = settings
        self._work = work
        self._board = Board(layout.max_concurrency)
        self._connections: dict[int, int] = {}  # slot -> descriptor of our copy of its connection
        self._workers = [_Worker(number) for number in range(len(layout.slots))]
        self._channel, self._theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._wake_read, self._wake_write = os.pipe()
        self._terminations = 0
        self._ready = False

    def run(self) -> int:
        """Start the workers and look after them until the environment ends; return the exit code."""
        self._channel.setblocking(False)
        for end in (self._wake_read, self._wake_write):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, _ignore)
        signal.signal(signal.SIGTERM, self._terminate)
        signal.signal(signal.SIGINT, self._terminate)
        waiting = select.poll()
        waiting.register(self._channel, select.POLLIN)
        waiting.register(self._wake_read, select.POLLIN)
        code = 0
        stop_at = float("inf")
        while True:
            now = time.monotonic()
            self._take_connections()
            for worker, status in self._reap():
                outcome = self._bury(worker, status, now)
                code = code or outcome
            alive = [worker for worker in self._workers if worker.pid]
            if self._terminations or code:
                if not alive:
                    return code
                if stop_at == float("inf"):
                    stop_at = now + self._settings.shutdown_grace + 2 * _TICK
                    _signal(alive, signal.SIGTERM)
                if now >= stop_at or self._terminations > 1:
                    _signal(alive, signal.SIGKILL)
            else:
                self._start_due(now)
            if self._settings.kill_at_deadline:
                self._kill_overdue()
            waiting.poll(self._patience(now) * 1000)
            _drain(self._wake_read)

    def _terminate(self, number: int, frame: FrameType | None) -> None:
        self._terminations += 1

    def _patience(self, now: float) -> float:
        """Seconds until something is due by the clock."""
        if self._terminations or self._settings.kill_at_deadline:
            return _TICK
        due = [worker.due - now for worker in self._workers if not worker.pid]
        return max(0.0, min([3600.0, *due])) if self._ready else 1.0

    # Birth

    def _start_due(self, now: float) -> None:
        for worker in self._workers:
            if not worker.pid and worker.due <= now:
                self._start(worker, now)
            if not self._ready:
                return  # the first worker shows whether the function starts at all

    def _start(self, worker: _Worker, now: float) -> None:
        worker.started = now
        worker.polled = False
        pid = os.fork()
        if pid:
            worker.pid = pid
            return
        code = 70  # EX_SOFTWARE: our own code failed
        try:
            code = self._be_worker(worker.number)
        except SystemExit as exit_:
            code = exit_.code if isinstance(exit_.code, int) else 0 if exit_.code is None else 1
        except BaseException:
            _log.exception("a worker process failed")
        finally:
            os._exit(code)

    def _be_worker(self, number: int) -> int:
        """What the child does."""
        signal.set_wakeup_fd(-1)
        for each in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(each, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.close(self._wake_read)
        os.close(self._wake_write)
        self._channel.close()
        keepers: list[SlotKeeper] = []
        for slot in self._layout.slots_of(number):
            keepers.append(SlotKeeper(self._board, self._theirs, slot, self._connections.pop(slot, None)))
        for fd in self._connections.values():  # those of other workers
            os.close(fd)
        return self._work(number, keepers)

    # Death

    def _reap(self) -> list[tuple[_Worker, int]]:
        ended: list[tuple[_Worker, int]] = []
        for worker in self._workers:
            if worker.pid:
                pid, status = os.waitpid(worker.pid, os.WNOHANG)
                if pid:
                    ended.append((worker, os.waitstatus_to_exitcode(status)))
        return ended

    def _bury(self, worker: _Worker, code: int, now: float) -> int:
        """Answer for what a worker held and decide on its successor; return an exit code to end the environment with."""
        pid, worker.pid = worker.pid, 0
        self._take_connections()
        how = f"was killed by signal {-code} ({signal.Signals(-code).name})" if code < 0 else f"exited with code {code}"
        wanted = bool(self._terminations) and code == 0
        held = [slot for slot in self._layout.slots_of(worker.number) if self._answer(slot, how)]
        if wanted:
            return 0
        message = f"worker process {pid} {how}, {len(held)} invocations were answered with an error"
        _log.error(message)
        if worker.polled and now - worker.started > _SETTLED:
            worker.failures = 0
        worker.failures += 1
        worker.due = now + _DELAYS[min(worker.failures, len(_DELAYS)) - 1]
        if not worker.polled and (worker.failures >= _MAX_FAILED_STARTS or (code == 1 and not self._ready)):
            # With code 1 it has told the platform itself why it could not start.
            if code != 1:
                self._post_init_error(f"a worker process {how} before its first poll, {worker.failures} times in a row")
            return 1
        return 0

    def _answer(self, slot: int, how: str) -> bool:
        """Answer what a dead worker's slot held, and keep the connection if its poll is out: True if it held something."""
        state = self._board.state(slot)
        keep = state == POLLING
        answered = False
        if state == BUSY:
            request_id, invocation_id, _ = self._board.held(slot)
            invocation = Invocation(b"", {names.REQUEST_ID: request_id, names.INVOCATION_ID: invocation_id})
            message = f"RequestId: {request_id} Error: the worker process that handled it {how}"
            client = BlockingClient(self._address)
            try:
                status = client.answer_for_another(invocation, ErrorReport("Runtime.ExitError", message, request_id, []))
            except RuntimeApiError as error:
                _log.error("invocation %s could not be answered: %s", request_id, error)
                status = 0
            finally:
                client.close()
            # Refused: the answer was out, and in the same write the next poll.
            keep = status == 400 and self._settings.pipelining
            answered = 200 <= status < 300
        if not keep:
            fd = self._connections.pop(slot, None)
            if fd is not None:
                os.close(fd)
            self._board.free(slot)
        return answered

    def _kill_overdue(self) -> None:
        now = time.time()
        for worker in self._workers:
            if not worker.pid:
                continue
            for slot in self._layout.slots_of(worker.number):
                if self._board.state(slot) == BUSY:
                    request_id, _, deadline = self._board.held(slot)
                    if deadline and now > deadline + self._settings.deadline_grace:
                        _log.error("invocation %s is past its deadline: killing worker process %s", request_id, worker.pid)
                        _signal([worker], signal.SIGKILL)
                        break

    def _post_init_error(self, message: str) -> None:
        from polylambda.runtime.platform import post_init_error

        post_init_error(self._address, PolylambdaError(message), "Runtime.ExitError")

    def _take_connections(self) -> None:
        """Take the copies of connections that workers have opened."""
        while True:
            try:
                data, fds, _, _ = socket.recv_fds(self._channel, _CHANNEL_BYTES, 1)
            except BlockingIOError:
                return
            slot = int.from_bytes(data[:SLOT_BYTES], "little")
            if not fds:
                continue
            old = self._connections.get(slot)
            if old is not None:
                os.close(old)
            self._connections[slot] = fds[0]
            self._ready = True
            for worker in self._workers:
                if slot in self._layout.slots_of(worker.number):
                    worker.polled = True


def _signal(workers: list[_Worker], number: signal.Signals) -> None:
    for worker in workers:
        os.kill(worker.pid, number)


def _ignore(number: int, frame: FrameType | None) -> None:
    """Handle SIGCHLD by waking the loop, which reaps."""


def _drain(fd: int) -> None:
    try:
        while os.read(fd, 4096):
            pass
    except BlockingIOError:
        pass
