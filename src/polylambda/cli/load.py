"""`polylambda load`: a load on the screen."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from rich.console import Console

from polylambda import loop
from polylambda.plane import screen
from polylambda.plane.load import Load
from polylambda.plane.tally import Verdict

if TYPE_CHECKING:
    from polylambda.plane.contact import Contact
    from polylambda.plane.load import LoadOptions

SOME_FAILED = 1


def run_load(options: LoadOptions, there: Contact) -> int:
    """Run a load, print its rows as they come and its report at the end, also after Ctrl-C; return the exit status.

    Raises:
        ConfigurationError: the plane does not answer, or does not know the function.
    """
    console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
    load = Load(options, there, lambda row: console.print(screen.load_row(row)))
    console.print(screen.load_head())
    try:
        with asyncio.Runner(loop_factory=loop.factory()) as runner:
            runner.run(load.run())
    finally:
        if load.tally.total:
            console.print(screen.load_report(load.tally, load.late))
    good = load.tally.counts[Verdict.ANSWERED] + load.tally.counts[Verdict.THROTTLED]
    return 0 if good == load.tally.total else SOME_FAILED
