"""Which files have changed since the last look: for a program that does something else between two looks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import watchfiles

from polylambda.errors import ConfigurationError

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterable
    from pathlib import Path

LOOK = 100
"""Milliseconds that a look takes when nothing has changed."""


class Watch:
    """Keeps an eye on folders from the moment it is made; what changes between two looks is not lost.

    Caches and the like are left out, and what the plane itself writes.
    """

    def __init__(self, folders: Iterable[Path], *, data_dir: Path, ended: threading.Event) -> None:
        """Begin to watch.

        Args:
            folders: with everything in them.
            data_dir: of the plane.
            ended: cuts a look short once it is set.

        Raises:
            ConfigurationError: the system does not let these folders be watched.
        """
        self._changed: set[str] = set()
        self._changes = watchfiles.watch(
            *folders,
            watch_filter=watchfiles.DefaultFilter(ignore_paths=[data_dir.resolve()]),
            stop_event=ended,
            rust_timeout=LOOK,
            yield_on_timeout=True,
            raise_interrupt=False,
        )
        try:
            self.look()  # a generator has not begun to watch before it is asked for the first time
        except (OSError, RuntimeError) as error:
            raise ConfigurationError(
                f"cannot watch for changes: {str(error).rstrip('.')}; start without --watch"
            ) from error

    def look(self) -> bool:
        """Wait a moment, and return whether anything has changed since the last `take`."""
        self._changed |= {path for _, path in next(self._changes, ())}
        return bool(self._changed)

    def take(self) -> list[str]:
        """Return what has changed, in order, and forget it."""
        changed, self._changed = sorted(self._changed), set()
        return changed

    def close(self) -> None:
        """Watch no longer."""
        self._changes.close()
