"""SIGTERM: the platform's notice that the environment is about to end."""

from __future__ import annotations

import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable
    from types import FrameType
else:
    import _signal as signal  # without the enumerations of its constants, which cost a cold start a millisecond


class Termination:
    """Calls `stop` on the first SIGTERM and `abort` on any further one, as long as it is entered.

    A handler of the function's own is called before: what it does at the end of its life still happens, also when that
    is to exit. Who ignores the signal goes on ignoring it. Off the main thread nothing happens, since signals go there.
    """

    def __init__(self, stop: Callable[[], object], abort: Callable[[SystemExit], object]) -> None:
        self._stop = stop
        self._abort = abort
        self._theirs: Callable[[int, FrameType | None], object] | None = None
        self._installed = False
        self._received = False
        self._passing_on = False

    @property
    def chained(self) -> bool:
        """The function has a handler of its own."""
        return self._theirs is not None

    def install(self) -> None:
        """Put our handler before the one that is there, unless it is ours."""
        if threading.current_thread() is not threading.main_thread():
            return
        there = signal.getsignal(signal.SIGTERM)
        # None is a handler in C, which could not be put back.
        if there is None or there in (signal.SIG_IGN, self._receive):
            return
        self._theirs = there if callable(there) else None
        signal.signal(signal.SIGTERM, self._receive)
        self._installed = True

    def __enter__(self) -> None:
        self.install()

    def __exit__(self, *outcome: object) -> None:
        if self._installed and signal.getsignal(signal.SIGTERM) == self._receive:
            signal.signal(signal.SIGTERM, self._theirs or signal.SIG_DFL)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self._passing_on:
            return  # theirs calls the handler that it found, which is ours
        if self._received:
            self._abort(SystemExit(128 + number))  # the exit status that shells show for a process that it ended
            return
        self._received = True
        if self._theirs is not None:
            self._passing_on = True
            try:
                self._theirs(number, frame)
            except SystemExit as error:
                self._abort(error)
                return
            finally:
                self._passing_on = False
        self._stop()
