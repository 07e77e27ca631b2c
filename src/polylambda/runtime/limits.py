"""How long and how much: the settings of managed environments that are numbers."""

from __future__ import annotations

from polylambda.errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from polylambda.settings import Settings


class Limits:
    """The bounds of a managed environment.

    Attributes:
        shutdown_grace: seconds that what is under way may take after SIGTERM.
        deadline_grace: seconds that a handler may be past its deadline.
        cancel_at_deadline: cancel a coroutine then.
        kill_at_deadline: kill a worker process then.
        max_background: handlers of a process that may go on after they have answered; None: as many as it has slots.
    """

    __slots__ = ("cancel_at_deadline", "deadline_grace", "kill_at_deadline", "max_background", "shutdown_grace")

    def __init__(self, settings: Settings) -> None:
        """Read the numbers.

        Raises:
            ConfigurationError: one of them is none.
        """
        self.shutdown_grace = _seconds("POLYLAMBDA_SHUTDOWN_GRACE", settings.shutdown_grace)
        self.deadline_grace = _seconds("POLYLAMBDA_DEADLINE_GRACE", settings.deadline_grace)
        self.cancel_at_deadline = settings.cancel_at_deadline
        self.kill_at_deadline = settings.kill_at_deadline
        self.max_background: int | None = None
        if settings.max_background is not None:
            text = settings.max_background.strip()
            if not (text.isascii() and text.isdigit()):
                raise ConfigurationError(
                    f"POLYLAMBDA_MAX_BACKGROUND is {settings.max_background!r}: it must be a number of handlers, 0 for none"
                )
            self.max_background = int(text)


def _seconds(name: str, text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise ConfigurationError(f"{name} is {text!r}: it must be a number of seconds, such as 0.5")
    return seconds
