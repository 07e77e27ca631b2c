"""What to make of failures: when to try again and for how long, and what the log says. No clock, no I/O."""

from __future__ import annotations

import logging

from polylambda.errors import Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from polylambda.errors import RuntimeApiError
    from polylambda.rapi.address import Address
    from polylambda.rapi.events import Invocation, Reply

_log = logging.getLogger("polylambda")

# Seconds before each further try: at once, then doubling. Five tries in all, as many as AWS's own client makes.
_DELAYS = (0.0, 0.1, 0.2, 0.4)
_HEALTHY = 10.0  # seconds without a failure after which the count begins anew


class Backoff:
    """How long to wait before polling again; gives up after five failures in a row."""

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


def poll_refused(reply: Reply, address: Address) -> Refused:
    """Return the error that a refused poll is."""
    error_type, message = reply.reason()
    where = f"the Runtime API at {address.text} (AWS_LAMBDA_RUNTIME_API)"
    return Refused(reply.status, error_type, f"{where} refused to hand out an event: {message}")


def log_refusal(invocation: Invocation, reply: Reply, *, resent: bool) -> None:
    """Log that an answer was refused; the invocation is over, and the next one comes.

    A late answer (410) is no news: the platform has already told the caller that the time was up. Nor is a refused copy
    of an answer that was sent twice because the connection broke.
    """
    level = logging.DEBUG if reply.status == 410 or (resent and reply.status == 400) else logging.ERROR
    _log.log(level, "the answer to %s was refused: %s", invocation.request_id, reply.refusal())


def log_loss(invocation: Invocation, error: object) -> None:
    """Log that the platform may never have had an answer."""
    _log.error("the answer to %s was lost: %s", invocation.request_id, error)
