"""`polylambda ps`: the fleet on a screen."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from polylambda.plane import screen

if TYPE_CHECKING:
    from rich.console import RenderableType

    from polylambda.plane.contact import Contact

BETWEEN_LOOKS = 0.5
"""Seconds between two pictures."""


def show(there: Contact) -> None:
    """Print the fleet once."""
    _console().print(screen.fleet(there.fleet()))


def show_json(there: Contact) -> None:
    """Print all that is known of the fleet."""
    json.dump(there.fleet(), sys.stdout, indent=2)
    sys.stdout.write("\n")


def show_live(there: Contact) -> None:
    """Show the fleet until Ctrl-C; where there is no terminal, one picture after the other.

    Raises:
        ConfigurationError: the plane does not answer, or not any more.
    """
    console = _console()
    if not console.is_terminal:
        while True:
            console.print(_picture(there))
            time.sleep(BETWEEN_LOOKS)
    with Live(_picture(there), console=console, auto_refresh=False, screen=True) as live:
        while True:
            time.sleep(BETWEEN_LOOKS)
            live.update(_picture(there), refresh=True)


def _picture(there: Contact) -> RenderableType:
    snapshot = there.fleet()
    head = Text.assemble(
        (there.url, "bold"), f"   {snapshot['time']:.0f} s of plane time   ", screen.summary(snapshot), "\n"
    )
    return Group(head, screen.fleet(snapshot))


def _console() -> Console:
    console = Console(highlight=False, markup=False, emoji=False)
    # Into a file or a pipe every row is one line, however long.
    return console if console.is_terminal else Console(highlight=False, markup=False, emoji=False, width=200)
