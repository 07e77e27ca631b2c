"""Noticing that the function's files have changed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import watchfiles

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterator

    from polylambda.local.options import Options


class _Changes(watchfiles.DefaultFilter):
    """Leaves out what is no source: caches, version control, editors' temporary files, and what was not asked for."""

    def __init__(self, options: Options) -> None:
        super().__init__()
        self._python_only = options.watch_python_only
        self._env_file = options.env_file.absolute() if options.env_file is not None else None

    def __call__(self, change: watchfiles.Change, path: str) -> bool:
        if self._env_file is not None and Path(path) == self._env_file:
            return True
        if self._python_only and not path.endswith((".py", ".pyi", ".pyx", ".pyd", ".so")):
            return False
        return super().__call__(change, path)


async def changes(options: Options, stop: asyncio.Event) -> AsyncIterator[str]:
    """Yield a sentence about each bunch of changes in the folders that are watched, until `stop` is set."""
    folders = list(options.watch)
    if options.env_file is not None:
        folders.append(options.env_file.absolute().parent)
    async for bunch in watchfiles.awatch(*folders, watch_filter=_Changes(options), stop_event=stop):
        names = sorted({_short(path) for _, path in bunch})
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        yield f"{names[0]}{more} changed, starting the function anew"


def _short(path: str) -> str:
    try:
        return str(Path(path).relative_to(Path.cwd()))
    except ValueError:
        return path
