"""The parent of the worker processes: it starts them, replaces those that die, and answers for what they held.

It runs none of the function's code, unless that is preloaded, and opens no connection of its own while all goes well. Read
`Supervisor.run` from top to bottom.
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
from polylambda.rapi.blocking_connection import BlockingConnection
from polylambda.rapi.events import Invocation
from polylambda.report import ErrorReport
from polylambda.runtime import lifeline
from polylambda.runtime.board import (
    ANSWERING,
    BUSY,
    FREE,
    INBOX_SIZE,
    POLLING,
    REACHED,
    REACHING,
    Board,
    Held,
    event_in,
)
from polylambda.runtime.keeper import SLOT_BYTES, SlotKeeper, line_of
from polylambda.runtime.share import Share

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

    from polylambda.rapi.address import Address
    from polylambda.runtime.layout import Layout
    from polylambda.runtime.limits import Limits
    from polylambda.settings import Settings

_log = logging.getLogger("polylambda")

_DELAYS = (0.0, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2)  # seconds before a worker is replaced, by its failures in a row
_MAX_FAILED_STARTS = 5  # in a row, by one worker
_SETTLED = 10.0  # seconds at work after which earlier failures are forgotten
_TICK = 0.1  # seconds between looks at the clock when something depends on it
_PATIENCE = 5.0  # seconds that the platform may take to reply when a worker's invocation is answered for it


class _Worker:
    """One worker process, and its successors."""

    __slots__ = ("due", "failed_starts", "failures", "lifeline", "pid", "slots", "started")

    def __init__(self, slots: range) -> None:
        self.slots = slots
        self.pid = 0  # 0: not running
        self.lifeline = -1
        self.started = 0.0
        self.failures = 0  # in a row
        self.failed_starts = 0  # in a row: it ended before it had received an event
        self.due = 0.0  # when to start it again


class Supervisor:
    """Keeps the worker processes of one environment at work.

    Use it in a process with one thread, before the function's code was imported, unless that is meant to be shared.
    """

    def __init__(self, address: Address, layout: Layout, settings: Settings, limits: Limits) -> None:
        """Describe the workers; `run` starts them."""
        self._address = address
        self._settings = settings
        self._limits = limits
        self._board = Board(layout.max_concurrency)
        self._connections: dict[int, int] = {}  # line -> descriptor of our copy of that connection: see `line_of`
        self._workers = [_Worker(layout.slots_of(number)) for number in range(len(layout.slots))]
        self._channel, self._theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._wake_read, self._wake_write = os.pipe()
        self._terminations = 0
        self._polled = False  # some worker has: the environment is initialised

    def run(self) -> Share | None:
        """Look after the workers until the environment ends.

        Returns:
            In each worker process its share of the slots, as `os.fork` returns twice; in the supervisor None, at the end.

        Raises:
            SystemExit: in the supervisor: the workers could not start, or did not end well.
        """
        self._prepare()
        code = 0
        stop_at = float("inf")
        while True:
            now = time.monotonic()
            self._take_connections()
            for worker, status in self._reap():
                code = self._bury(worker, status, now) or code
            alive = [worker for worker in self._workers if worker.pid]
            if self._terminations or code:
                if not alive:
                    break
                if stop_at == float("inf"):
                    stop_at = now + self._limits.shutdown_grace + 2 * _TICK  # the workers' own, then ours
                    _signal(alive, signal.SIGTERM)
                elif now >= stop_at or self._terminations > 1:
                    _signal(alive, signal.SIGKILL)
            else:
                share = self._start_due(now)
                if share is not None:
                    return share
                if self._limits.kill_at_deadline:
                    self._kill_overdue()
            self._wait(now)
        self._close()
        if code:
            raise SystemExit(code)
        return None

    def _prepare(self) -> None:
        self._channel.setblocking(False)
        for end in (self._wake_read, self._wake_write):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, _ignore)
        signal.signal(signal.SIGTERM, self._terminate)
        signal.signal(signal.SIGINT, self._terminate)

    def _terminate(self, number: int, frame: FrameType | None) -> None:
        self._terminations += 1

    def _wait(self, now: float) -> None:
        """Wait until a child ends, a connection or a signal comes, or something is due by the clock."""
        if self._terminations:
            patience = _TICK
        elif not self._polled:
            patience = 1.0
        else:
            due = [worker.due - now for worker in self._workers if not worker.pid]
            patience = min([*due, _TICK if self._limits.kill_at_deadline else 3600.0])
        waiting = select.poll()
        waiting.register(self._channel, select.POLLIN)
        waiting.register(self._wake_read, select.POLLIN)
        waiting.poll(max(1, patience * 1000))
        try:
            while os.read(self._wake_read, 4096):
                pass
        except BlockingIOError:
            pass

    def _close(self) -> None:
        signal.set_wakeup_fd(-1)
        for fd in (self._wake_read, self._wake_write, *self._connections.values()):
            os.close(fd)
        self._channel.close()
        self._theirs.close()

    # Birth

    def _start_due(self, now: float) -> Share | None:
        """Start the workers whose time has come; in each of them, return its share."""
        for worker in self._workers:
            if not worker.pid and worker.due <= now:
                share = self._fork(worker, now)
                if share is not None:
                    return share
            if not self._polled:
                break  # the first one shows whether the function starts at all
        return None

    def _fork(self, worker: _Worker, now: float) -> Share | None:
        worker.started = now
        ours, theirs = os.pipe()
        pid = os.fork()
        if pid:
            os.close(ours)
            worker.pid, worker.lifeline = pid, theirs
            return None
        self._leave_supervisor(theirs)
        lifeline.hold(ours)
        keepers: list[SlotKeeper] = []
        for slot in worker.slots:
            adopted = self._connections.pop(line_of(slot, 0), None)
            keepers.append(SlotKeeper(self._board, self._theirs, slot, adopted))
        for fd in self._connections.values():  # those of other workers
            os.close(fd)
        return Share(worker.slots, keepers)

    def _leave_supervisor(self, lifeline_end: int) -> None:
        """Give up, in a worker, what is the supervisor's."""
        # The platform sends SIGTERM to the whole process group. A worker hears it from the supervisor, once.
        os.setpgid(0, 0)
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        ends = [worker.lifeline for worker in self._workers if worker.pid]
        for fd in (self._wake_read, self._wake_write, lifeline_end, *ends):
            os.close(fd)
        self._channel.close()

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
        os.close(worker.lifeline)
        self._take_connections()
        how = f"was killed by signal {-code} ({signal.Signals(-code).name})" if code < 0 else f"exited with code {code}"
        if now - worker.started > _SETTLED:
            worker.failures = 0
        worker.failures += 1
        worker.failed_starts = 0 if any(map(self._board.was_used, worker.slots)) else worker.failed_starts + 1
        answered = sum(self._answer(slot, how, abandon=worker.failed_starts > 1) for slot in worker.slots)
        if self._terminations:
            return max(code, 0)
        _log.error("worker process %d %s; invocations answered for it: %d", pid, how, answered)
        worker.due = now + _DELAYS[min(worker.failures, len(_DELAYS)) - 1]
        if code == 1 and not self._polled:
            return 1  # it has told the platform itself why it cannot start
        if worker.failed_starts < _MAX_FAILED_STARTS or any(each.pid for each in self._workers):
            return 0
        from polylambda.runtime.platform import post_init_error

        message = f"the worker process {how}, {worker.failed_starts} times in a row, and there is no other"
        post_init_error(self._address, PolylambdaError(message), "Runtime.ExitError")
        return 1

    def _answer(self, slot: int, how: str, *, abandon: bool) -> bool:
        """Answer what a dead worker's slot held, and keep the connection if its poll is out: True if something was held.

        What has come for the poll, and was not begun to be handled, is the successor's too. With `abandon` nobody may come
        soon to take it over: the poll is given up, and what has come is answered.
        """
        board = self._board
        state = board.state(slot)
        polled = board.polled(slot)
        if state == POLLING and not abandon and board.pass_on(slot):
            self._keep_only(slot, polled)
            return False
        held = None if state in (FREE, POLLING) else board.held(slot)
        come: Held | None = None
        if state in (POLLING, REACHING):  # for a poll which nobody takes over
            received = board.received(slot) if state == POLLING else b""
            come = event_in(received + self._look(line_of(slot, polled)))
        if state == REACHED:
            self._keep_only(slot, polled)
        elif state != ANSWERING:
            self._drop(slot)  # so that an answer that was cut off is known to be none
        status = 0 if held is None else self._post_error(held, how)
        # Behind an answer that had gone out in one write there is a poll.
        polls = state == REACHED or (state == ANSWERING and status == 400)
        if not polls:
            self._drop(slot)
        board.renew(slot, POLLING if polls else FREE)
        if come is not None:
            status = self._post_error(come, how)
        return 200 <= status < 300

    def _look(self, line: int) -> bytes:
        """Return what has come on a connection, and leave it there."""
        if line in self._connections:
            with socket.socket(fileno=os.dup(self._connections[line])) as connection:
                try:
                    return connection.recv(INBOX_SIZE, socket.MSG_PEEK | socket.MSG_DONTWAIT)
                except OSError:
                    pass  # nothing has, or the connection is broken
        return b""

    def _post_error(self, held: Held, how: str) -> int:
        """Answer what a slot held with an error, and return the platform's status, 0 for none."""
        headers = {names.REQUEST_ID: held.request_id, names.INVOCATION_ID: held.invocation_id}
        message = f"RequestId: {held.request_id} Error: the worker process that handled it {how}"
        report = ErrorReport("Runtime.ExitError", message, held.request_id, [])
        connection = BlockingConnection(self._address, timeout=_PATIENCE)
        try:
            return connection.call(connection.open().error(Invocation(b"", headers), report)).status
        except RuntimeApiError as error:
            _log.error("invocation %s could not be answered: %s", held.request_id, error)
            return 0
        finally:
            connection.close()

    def _keep_only(self, slot: int, number: int) -> None:
        """End the other connection of a slot; the one that is kept is number 0 from now on."""
        fd = self._connections.pop(line_of(slot, number), None)
        self._drop(slot)
        if fd is not None:
            self._connections[line_of(slot, 0)] = fd

    def _drop(self, slot: int) -> None:
        """End a slot's connections."""
        for number in (0, 1):
            self._end(line_of(slot, number))

    def _end(self, line: int) -> None:
        fd = self._connections.pop(line, None)
        if fd is not None:
            os.close(fd)

    def _kill_overdue(self) -> None:
        due = time.time() - self._limits.deadline_grace
        for worker in self._workers:
            for slot in worker.slots:
                if worker.pid and self._board.state(slot) == BUSY:
                    held = self._board.held(slot)
                    if held is not None and 0 < held.deadline < due:
                        _log.error("invocation %s is past its deadline: its process is killed", held.request_id)
                        _signal([worker], signal.SIGKILL)
                        break

    def _take_connections(self) -> None:
        """Take the copies of connections that workers have opened."""
        while True:
            try:
                data, fds, _, _ = socket.recv_fds(self._channel, SLOT_BYTES, 1)
            except BlockingIOError:
                return
            line = int.from_bytes(data, "little")
            self._end(line)
            self._connections[line] = fds[0]
            self._polled = True


def _signal(workers: list[_Worker], number: signal.Signals) -> None:
    for worker in workers:
        os.kill(worker.pid, number)


def _ignore(number: int, frame: FrameType | None) -> None:
    """Handle SIGCHLD: the wake-up descriptor tells of it."""
