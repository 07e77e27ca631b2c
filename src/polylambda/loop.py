"""The one event loop of a thread that asynchronous code shares, and which kind it is.

A runtime for `async def` handlers runs on it. In a runtime for `def` handlers it stands still between uses: handlers may
call `asyncio.run()`, and an asynchronous lifespan, or a decorator that hides a coroutine, still finds the same loop.
A process has one runtime and so one such loop, unless a test has runtimes in threads.
"""

from __future__ import annotations

import sys
import threading

from polylambda.errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Coroutine
    from typing import Any, TypeVar

    T = TypeVar("T")


class _Shared(threading.local):
    runner: asyncio.Runner | None = None


_shared = _Shared()
_choice = "auto"


def choose(name: str) -> None:
    """Set the kind of loop: `asyncio`, `uvloop`, or `auto`, which is uvloop when it is installed.

    Raises:
        ConfigurationError: another name.
    """
    global _choice
    if name not in ("auto", "asyncio", "uvloop"):
        raise ConfigurationError(f"POLYLAMBDA_LOOP is {name!r}: it must be asyncio, uvloop or auto")
    _choice = name


def prepare() -> asyncio.Runner:
    """Return what runs the shared loop, making it first if need be.

    Raises:
        ConfigurationError: the chosen kind of loop is not installed.
    """
    runner = _shared.runner
    if runner is None:
        loop_factory = factory()
        import asyncio

        runner = _shared.runner = asyncio.Runner(loop_factory=loop_factory)
    return runner


def run_until_complete(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` on the shared loop, in a copy of the current context, and return its result."""
    from contextvars import copy_context

    return prepare().run(main, context=copy_context())


def close() -> None:
    """Cancel what is left on the shared loop and close it; nothing happens when it was never used."""
    runner, _shared.runner = _shared.runner, None
    if runner is not None:
        runner.close()


def is_running() -> bool:
    """Say whether this is code of an event loop, whichever it is."""
    asyncio = sys.modules.get("asyncio")
    if asyncio is None:
        return False
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Import the chosen kind of loop, and return what makes one; None is asyncio's own.

    Raises:
        ConfigurationError: it is not installed.
    """
    if _choice == "asyncio":
        return None
    try:
        import uvloop
    except ImportError:
        if _choice == "uvloop":
            raise ConfigurationError("POLYLAMBDA_LOOP is uvloop, which is not installed: pip install uvloop") from None
        return None
    return uvloop.new_event_loop
