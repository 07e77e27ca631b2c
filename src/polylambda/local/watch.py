"""Noticing that the function's files have changed."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import watchfiles

from polylambda.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from polylambda.local.options import Options

_PYTHON = (".py", ".pyi", ".so")


@contextlib.asynccontextmanager
async def watching(options: Options, on_change: Callable[[str], None]) -> AsyncGenerator[None]:
    """Call `on_change` with a sentence about each bunch of changes that the options ask for, while the body runs.

    Raises:
        ConfigurationError: the system does not let these folders be watched.
    """
    loop = asyncio.get_running_loop()
    began = asyncio.Event()
    stop = _Stop(lambda: loop.call_soon_threadsafe(began.set))

    def look() -> None:
        changes = watchfiles.watch(*_paths(options), watch_filter=_Filter(options), stop_event=stop)
        for bunch in changes:
            loop.call_soon_threadsafe(on_change, _sentence({path for _, path in bunch}))

    looking = asyncio.create_task(asyncio.to_thread(look), name="watcher of changes")
    looking.add_done_callback(lambda _: began.set())
    try:
        await began.wait()
        if looking.done():
            raise ConfigurationError(f"cannot watch for changes: {looking.exception()}; start without --reload")
        yield
    finally:
        stop.set()
        await asyncio.wait([looking])


class _Stop(threading.Event):
    """Tells a watcher to stop. That it asks for the first time shows that it is watching."""

    def __init__(self, on_first_look: Callable[[], object]) -> None:
        super().__init__()
        self._on_first_look: Callable[[], object] | None = on_first_look

    def is_set(self) -> bool:
        on_first_look, self._on_first_look = self._on_first_look, None
        if on_first_look is not None:
            on_first_look()
        return super().is_set()


class _Filter(watchfiles.DefaultFilter):
    """Leaves out what is no source: caches, version control, editors' temporary files, and what was not asked for."""

    def __init__(self, options: Options) -> None:
        super().__init__()
        self._python_only = options.watch_python_only
        self._env_file = options.env_file

    def __call__(self, change: watchfiles.Change, path: str) -> bool:
        if self._env_file is not None and Path(path) == self._env_file.absolute():
            return True
        return (not self._python_only or path.endswith(_PYTHON)) and super().__call__(change, path)


def _paths(options: Options) -> list[Path]:
    paths = [path.absolute() for path in options.watch]
    env_file = options.env_file
    if env_file is not None and not any(env_file.absolute().is_relative_to(path) for path in paths):
        # The file alone: its folder may be anything, such as a home.
        paths.append(env_file.absolute())
    return paths


def _sentence(paths: set[str]) -> str:
    first, *others = sorted(paths)
    folder = Path.cwd()
    name = Path(first).relative_to(folder) if Path(first).is_relative_to(folder) else first
    return f"{name}{f' and {len(others)} more' if others else ''} changed, starting the function anew"
