"""The kinds of request that a runtime makes: a poll, an answer, and those whose body is read whole before they count."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polylambda.server import faults
from polylambda.server.wire import ACCEPTED, Reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from polylambda.server.answer import Answer
    from polylambda.server.broker import Broker
    from polylambda.server.connection import Connection
    from polylambda.server.extensions import Extensions
    from polylambda.server.ledger import Attempt


class NextPoll:
    """`GET /runtime/invocation/next`: replied to when there is an invocation."""

    __slots__ = ("_attempt", "_broker", "_connection")

    def __init__(self, broker: Broker, connection: Connection) -> None:
        self._broker = broker
        self._connection = connection
        self._attempt: Attempt | None = None

    def receive(self, data: bytes) -> bool:
        """Refuse: a poll has no body."""
        raise faults.too_large(0)

    def finish(self, trailers: dict[str, str]) -> None:
        """Wait for an invocation."""
        self._broker.poll(self)

    def deliver(self, attempt: Attempt) -> None:
        """Send the invocation."""
        self._attempt = attempt
        self._connection.deliver(attempt)

    def abort(self) -> None:
        """Leave the broker's row of polls."""
        self._broker.drop_poll(self)

    def lost(self) -> None:
        """Give the invocation to another poll."""
        if self._attempt is not None:
            self._broker.give_back(self._attempt)


class AnswerUpload:
    """`POST /runtime/invocation/{id}/response`."""

    __slots__ = ("_answer",)

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    def receive(self, data: bytes) -> bool:
        """Pass a piece on; False while the caller lags behind."""
        return self._answer.write(data)

    def finish(self, trailers: dict[str, str]) -> Reply:
        """End the answer."""
        self._answer.finish(trailers)
        return ACCEPTED

    def abort(self) -> None:
        """End the answer where it is."""
        if not self._answer.over:
            self._answer.truncate()

    def lost(self) -> None:
        """Ignore that the runtime does not know: the answer stands."""


class Collected:
    """A request that counts when it is whole: an error, a registration."""

    __slots__ = ("_limit", "_on_excess", "_parts", "_size", "_then")

    def __init__(
        self, then: Callable[[bytes], Reply], *, limit: int, on_excess: Callable[[], object] | None = None
    ) -> None:
        """Collect at most `limit` bytes, then call `then` with them; `on_excess` when there are more."""
        self._then = then
        self._limit = limit
        self._on_excess = on_excess
        self._parts: list[bytes] = []
        self._size = 0

    def receive(self, data: bytes) -> bool:
        """Keep a piece of the body. Raises Refusal when it grows too large."""
        self._parts.append(data)
        self._size += len(data)
        if self._size > self._limit:
            if self._on_excess is not None:
                self._on_excess()
            raise faults.too_large(self._limit)
        return True

    def finish(self, trailers: dict[str, str]) -> Reply:
        """Do what was asked for."""
        return self._then(b"".join(self._parts))

    def abort(self) -> None:
        """Forget it: half a request asks for nothing."""

    def lost(self) -> None:
        """Ignore that the runtime does not know: it was done."""


class ExtensionPoll:
    """`GET /extension/event/next`: replied to at shutdown, or never."""

    __slots__ = ("_connection", "_extensions", "_identifier")

    def __init__(self, extensions: Extensions, identifier: str | None, connection: Connection) -> None:
        self._extensions = extensions
        self._identifier = identifier
        self._connection = connection

    def receive(self, data: bytes) -> bool:
        """Refuse: a poll has no body."""
        raise faults.too_large(0)

    def finish(self, trailers: dict[str, str]) -> None:
        """Wait for an event. Raises Refusal."""
        self._extensions.wait(self._identifier, self)

    def deliver(self, reply: Reply) -> None:
        """Send the event."""
        self._connection.reply(reply)

    def abort(self) -> None:
        """Wait no longer."""
        self._extensions.drop_poll(self)

    def lost(self) -> None:
        """Ignore that the extension does not know: it is about to be killed."""
