"""`polylambda down`: the end of a plane, and of what a killed one left."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from polylambda.errors import ConfigurationError
from polylambda.plane.contact import contact
from polylambda.plane.datadir import DataDir
from polylambda.plane.options import PlaneOptions

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE = 60.0
"""Seconds that a plane may take to end."""
BETWEEN_LOOKS = 0.1


def end_plane(data_dir: Path) -> str:
    """End the plane of a data directory, wait until nothing of it is left, and return a sentence.

    Raises:
        ConfigurationError: there is none, or it does not end.
    """
    status = PlaneOptions(data_dir=data_dir).status_file
    if not data_dir.is_dir():
        contact(data_dir)  # says that there is none
    known = status.exists()
    ended = _end_what_is_left(data_dir)
    if ended is not None:
        if not known and not ended:
            contact(data_dir)  # likewise
        return f"the plane was not running any more; {ended} processes that it had left were ended"
    there = contact(data_dir)
    there.down()
    give_up = time.monotonic() + PATIENCE
    while _end_what_is_left(data_dir) is None:
        if time.monotonic() > give_up:
            raise ConfigurationError(
                f"the plane at {there.url} (process {there.pid}) has not ended in {PATIENCE:.0f} s: kill it"
            )
        time.sleep(BETWEEN_LOOKS)
    return f"the plane at {there.url} has ended"


def _end_what_is_left(data_dir: Path) -> int | None:
    """End the processes that a plane has left, remove their folders, and return how many there were; None while one runs.

    Who gets the data directory knows that no plane has it.
    """
    try:
        with DataDir(data_dir) as data:
            return data.clean_up()
    except ConfigurationError:
        return None
