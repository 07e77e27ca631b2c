"""Running a handler so that what its invocations share shows: with markers in its events, and turns that are forced.

`examination` is the check from beginning to end. It asks `rehearsal` for runs, each in a process of its own, where `child`
has the handler; and `leaking`, `behaving` and `growing` judge what was seen there. What can be read from the source is not
looked for here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from polylambda.check.dynamic.options import Ran, RunOptions

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Ran", "RunOptions", "run"]


def run(options: RunOptions, progress: Callable[[str], None] = lambda _: None) -> Ran:
    """Run a handler with interleaving driven on purpose, and report what leaks from one invocation to another.

    The handler runs under `LambdaManagedRuntime` in processes of its own, a new one for each run.

    Args:
        options: what to run.
        progress: is told in a line each what is going on.

    Raises:
        ConfigurationError: the handler cannot be loaded, or does not fit the mode.
    """
    import asyncio

    from polylambda.check.dynamic.examination import check  # not needed in the processes of the handler

    return asyncio.run(check(options, progress))
