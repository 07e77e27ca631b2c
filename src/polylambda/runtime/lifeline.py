"""How a worker process ends when its supervisor is gone: the other end of a pipe closes, and the kernel kills the worker.

Without the supervisor the environment is over, for the platform too: it watches that process.
"""

from __future__ import annotations

import fcntl
import os
import signal


def hold(fd: int) -> None:
    """Hold the reading end of a pipe whose other end only the supervisor has.

    Where the kernel cannot choose the signal (it is Linux that can), nothing is watched: the platform ends what is left.
    """
    set_signal = getattr(fcntl, "F_SETSIG", None)
    if set_signal is None:
        return
    fcntl.fcntl(fd, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(fd, set_signal, signal.SIGKILL)
    fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) | os.O_ASYNC)
