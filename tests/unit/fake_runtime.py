"""The runtime's side of a broker, without HTTP: polls, answers, and what they are told."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from polylambda.server.broker import Broker, Invocation, Response

if TYPE_CHECKING:
    import pytest

    from polylambda.server.errors import Refusal
    from polylambda.server.ledger import Attempt


class Poll:
    """A runtime's poll, and what came of it."""

    def __init__(self) -> None:
        self.attempt: Attempt | None = None

    def deliver(self, attempt: Attempt) -> None:
        assert self.attempt is None, "a poll gets one invocation"
        self.attempt = attempt

    @property
    def request_id(self) -> str:
        assert self.attempt is not None
        return self.attempt.invocation.request_id


class Sender:
    """The request that carries an answer, and what it is told."""

    def __init__(self) -> None:
        self.resumed = 0
        self.refusals: list[tuple[int, str]] = []

    def resume(self) -> None:
        self.resumed += 1

    def refuse(self, refusal: Refusal) -> None:
        self.refusals.append((refusal.status, refusal.error_type))


def polls(broker: Broker, count: int) -> list[Poll]:
    made = [Poll() for _ in range(count)]
    for poll in made:
        broker.poll(poll)
    return made


def begin(broker: Broker, request_id: str, mode: str | None = None, sender: Sender | None = None, attempt: str = ""):
    return broker.begin_answer(request_id, attempt, sender or Sender(), content_type="text/plain", mode=mode)


def answer(broker: Broker, request_id: str, body: bytes = b"ok") -> None:
    upload = begin(broker, request_id)
    upload.write(body)
    upload.finish({})


async def invoke(broker: Broker, request_id: str, seconds: float = 3.0) -> asyncio.Task[Response]:
    """Begin an invocation, and let it come as far as it can."""
    invocation = Invocation(payload=b"{}", request_id=request_id, timeout=seconds)
    task = asyncio.create_task(broker.invoke(invocation))
    await asyncio.sleep(0)
    return task


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def error_of(body: bytes) -> tuple[str, str]:
    document = json.loads(body)
    assert list(document) == ["errorType", "errorMessage"]
    return document["errorType"], document["errorMessage"]


def refused(refusal: pytest.ExceptionInfo[Refusal]) -> tuple[int, str]:
    return refusal.value.status, refusal.value.error_type
