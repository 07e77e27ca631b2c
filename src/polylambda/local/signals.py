"""Ctrl-C and SIGTERM, for servers in the foreground."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Generator


@contextlib.contextmanager
def handling_signals(handle: Callable[[], None]) -> Generator[None]:
    """Call `handle` on Ctrl-C and SIGTERM, for the length of a `with`, on the running loop."""
    loop = asyncio.get_running_loop()
    handled: list[signal.Signals] = []
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, handle)
            handled.append(number)
    except (NotImplementedError, RuntimeError, ValueError):
        pass  # no signals here: not the main thread
    try:
        yield
    finally:
        for number in handled:
            loop.remove_signal_handler(number)
