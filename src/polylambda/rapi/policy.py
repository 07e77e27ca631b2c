"""What to make of failures: when to try again and for how long, and how loud a refusal is. No clock, no I/O."""

from __future__ import annotations

import logging

TYPE_CHECKING = False
if TYPE_CHECKING:
    from polylambda.errors import RuntimeApiError
    from polylambda.rapi.wire import Reply

_DELAYS = (0.0, 0.1, 0.2, 0.4, 0.8)  # seconds before each further try: at once, then as AWS's own client waits
_HEALTHY = 10.0  # seconds without a failure after which the count begins anew


class Backoff:
    """How long to wait before polling again; gives up after six failures in a row."""

    __slots__ = ("_failed_at", "_failures")

    def __init__(self) -> None:
        self._failures = 0
        self._failed_at = 0.0

    def reset(self) -> None:
        """Forget the failures: something worked."""
        self._failures = 0

    def after(self, error: RuntimeApiError, now: float) -> float:
        """Return the seconds to wait after `error`, which happened at `now` (seconds of any steady clock).

        Raises:
            RuntimeApiError: `error` itself, when it is time to give up.
        """
        if now - self._failed_at > _HEALTHY:
            self._failures = 0
        self._failed_at = now
        if self._failures >= len(_DELAYS):
            raise error
        self._failures += 1
        return _DELAYS[self._failures - 1]


def refusal_level(reply: Reply, *, resent: bool) -> int:
    """Return the logging level for a refused answer.

    A late answer (410) is no news: the platform has already told the caller that the time was up. Nor is a refused copy
    of an answer that was sent twice because the connection broke.
    """
    if reply.status == 410 or (resent and reply.status == 400):
        return logging.DEBUG
    return logging.ERROR
