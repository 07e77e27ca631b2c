"""The runtime: what polls, calls the handler and answers, from the first line to the last.

`runtime` has the public class and its arc from start to exit; `worker` and `async_worker` are the loops that serve
invocations one after the other, by the rules of `verdict`. How the bytes travel is `rapi`'s business, what a handler is
`handlers`'.

Here is only what has to happen before any of them is imported.
"""

import gc

_POSTPONED = 1_000_000  # objects
_usual_thresholds = gc.get_threshold()


def postpone_collections() -> None:
    """Keep the garbage collector from looking through what is made by imports, ours and the function's: nearly all stays."""
    gc.set_threshold(_POSTPONED, *_usual_thresholds[1:])


def resume_collections() -> None:
    """Undo `postpone_collections`, unless the function has set thresholds of its own."""
    if gc.get_threshold()[0] == _POSTPONED:
        gc.set_threshold(*_usual_thresholds)
