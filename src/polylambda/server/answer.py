"""A runtime's answer to an invocation, while it is being sent: limits, backpressure, how it may end. No I/O."""

from __future__ import annotations

import binascii
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from polylambda.rapi import headers as names
from polylambda.server import faults
from polylambda.server.invocation import State

if TYPE_CHECKING:
    from polylambda.server.errors import Refusal
    from polylambda.server.ledger import Entry

EndInvocation = Callable[["Entry", State, "str | None", bytes], None]
"""How an answer ends its invocation: entry, state, error type, error payload."""


class Sender(Protocol):
    """Where an answer comes from: the request that carries it."""

    def resume(self) -> None:
        """Go on: the caller has caught up."""
        ...

    def refuse(self, refusal: Refusal) -> None:
        """Give up: the invocation has ended without this answer."""
        ...


class Answer:
    """The body of a `/response` on its way to the caller.

    A buffered one is kept here until it is whole, so that the caller gets an error and nothing else if it is too large
    or breaks off; a streamed one is passed on piece by piece.
    """

    __slots__ = ("_content_type", "_end", "_entry", "_limit", "_parts", "_sender", "_size", "_streamed", "over")

    def __init__(
        self, entry: Entry, sender: Sender, end: EndInvocation, content_type: str, *, streamed: bool, limit: int
    ) -> None:
        """Begin the answer to `entry`: at most `limit` bytes; `end` ends the invocation."""
        self._entry = entry
        self._sender = sender
        self._end = end
        self._content_type = content_type
        self._streamed = streamed
        self._limit = limit
        self._size = 0
        self._parts: list[bytes] = []
        self.over = False
        if streamed:
            entry.response.begin(content_type, streamed=True)

    def expect(self, size: int) -> None:
        """Take the announced length of the body, in bytes. Raises Refusal when it is too large."""
        if size > self._limit:
            self._too_large()

    def write(self, data: bytes) -> bool:
        """Take a piece of the body; False: the caller lags behind, wait for the sender's `resume`.

        Raises:
            Refusal: the answer is too large.
        """
        self._size += len(data)
        if self._size > self._limit:
            self._too_large()
        if not self._streamed:
            self._parts.append(data)
            return True
        response = self._entry.response
        response.feed(data)
        return not response.wait_for_drain(self._sender.resume)

    def finish(self, trailers: dict[str, str]) -> None:
        """Take the end of the body; its trailers say whether the stream failed."""
        self.over = True
        error_type = trailers.get(names.ERROR_TYPE)
        if self._streamed and error_type is not None:
            error_body = _decoded(trailers.get(names.ERROR_BODY, ""))
            self._end(self._entry, State.ERRORED, faults.function_error_type(error_type), error_body)
            return
        response = self._entry.response
        if not self._streamed:
            response.begin(self._content_type, streamed=False)
            response.feed(self._parts[0] if len(self._parts) == 1 else b"".join(self._parts))
        self._end(self._entry, State.SUCCEEDED, None, b"")

    def truncate(self) -> None:
        """Take it that the rest of the body will never come."""
        self.over = True
        payload = faults.error_payload(faults.TRUNCATED_RESPONSE, "The runtime broke off in the middle of its response")
        self._end(self._entry, State.TRUNCATED, faults.TRUNCATED_RESPONSE, payload)

    def cut(self, refusal: Refusal) -> None:
        """Stop taking it: the invocation has ended in another way."""
        self.over = True
        self._sender.refuse(refusal)

    def _too_large(self) -> None:
        self.over = True
        payload = faults.response_too_large_payload(self._limit)
        self._end(self._entry, State.ERRORED, faults.RESPONSE_TOO_LARGE, payload)
        raise faults.too_large(self._limit)


def _decoded(text: str) -> bytes:
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except (binascii.Error, ValueError):
        return b""
