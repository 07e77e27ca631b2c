"""What part of an environment this process has: all of it, or as a worker the slots that its supervisor gave it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from polylambda.rapi.keeper import Keeper


class Share:
    """The slots of one process.

    Attributes:
        slots: their numbers, counted through all processes of the environment.
    """

    __slots__ = ("_keepers", "slots")

    def __init__(self, slots: range, keepers: Sequence[Keeper] | None = None) -> None:
        """Take the slots, and who keeps account of each of them, in the same order."""
        self.slots = slots
        self._keepers = keepers

    def keeper(self, slot: int) -> Keeper | None:
        """Return who keeps account of `slot`, None in a process that has no supervisor."""
        return None if self._keepers is None else self._keepers[slot - self.slots.start]


_of_this_process: Share | None = None


def of_this_process() -> Share | None:
    """Return a worker process's share; None in any other process."""
    return _of_this_process


def give(share: Share | None) -> None:
    """Make this process a worker with that share."""
    global _of_this_process
    _of_this_process = share
