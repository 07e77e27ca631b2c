"""The answer of an environment on an instance, as the plane reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polylambda.server.response import Response

if TYPE_CHECKING:
    from collections.abc import Callable

    from polylambda.server.invocation import Outcome


class AgentResponse(Response):
    """The answer to one invocation. It knows, once it has ended, the end of the invocation's log.

    Attributes:
        log_tail: the end of the log, base64, as AWS's API gives it; empty when it was not asked for.
    """

    __slots__ = ("_on_end", "log_tail")

    def __init__(self, request_id: str, on_end: Callable[[AgentResponse], None] | None = None) -> None:
        """Begin to wait for an answer; `on_end` is called once, when it has ended in whatever way."""
        super().__init__(request_id)
        self.log_tail = ""
        self._on_end = on_end

    def end(self, outcome: Outcome, error_type: str | None = None, error_body: bytes = b"") -> None:
        """Take the end of the answer."""
        super().end(outcome, error_type, error_body)
        on_end, self._on_end = self._on_end, None
        if on_end is not None:
            on_end(self)

    def forget(self) -> None:
        """Call nobody: the answer will never come, and whoever waits for it is told otherwise."""
        self._on_end = None
