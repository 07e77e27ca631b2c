"""Whoever counts slots hears of every end exactly once, whatever crosses whatever."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest

from polylambda.plane.agent.protocol import CAUSE_HEADER, AnswerEnd, AnswerHead, Part, encode_part
from polylambda.plane.agent_client import AgentClient, AgentLost, AgentResponse, Refused
from polylambda.plane.agent_client.connection import Connection
from polylambda.plane.agent_client.exchanges import InvocationExchange
from polylambda.server.invocation import Invocation, Outcome
from tests.unit import virtual_loop

REFUSAL = {CAUSE_HEADER: b"CPUThrottles"}
BUFFERED: list[Part] = [AnswerHead("text/plain", streamed=False), b"body", AnswerEnd("success", log_tail="dGFpbA==")]


class Line:
    """A connection that hands its exchange to the test."""

    usable = True

    def __init__(self) -> None:
        self.exchange: InvocationExchange
        self.sent = asyncio.Event()
        self.held_back = 0

    def send(self, request: bytes, exchange: InvocationExchange) -> None:
        self.exchange = exchange
        self.sent.set()

    def hold_back(self) -> None:
        self.held_back += 1

    def go_on(self) -> None:
        self.held_back -= 1

    def reply(self, *parts: Part, whole: bool = True) -> None:
        self.exchange.head(200, {})
        for part in parts:
            self.exchange.data(encode_part(part), cast(Connection, self))
        if whole:
            self.exchange.end()

    def refuse(self) -> None:
        self.exchange.head(429, REFUSAL)
        self.exchange.data(b'{"message": "hot"}', cast(Connection, self))
        self.exchange.end()


class Call:
    """An invocation under way."""

    def __init__(self) -> None:
        self.line = Line()
        self.ended: list[Outcome] = []
        self.client = AgentClient("127.0.0.1", 1, "t", on_event=lambda _: None, on_lost=lambda _: None)
        self.client._idle.append(cast(Connection, self.line))
        self.task = asyncio.create_task(
            self.client.invoke("e", Invocation(payload=b"{}"), on_end=lambda r: self.ended.append(r.outcome))
        )

    async def cancelled(self) -> None:
        with pytest.raises(asyncio.CancelledError):
            await self.task


def run(test: Callable[[Call], Any]) -> None:
    async def main() -> None:
        call = Call()
        await call.line.sent.wait()
        await test(call)

    virtual_loop.run(main())


def test_an_answer() -> None:
    async def test(call: Call) -> None:
        call.line.reply(*BUFFERED)
        response = await call.task
        assert (await response.read(), response.content_type, response.log_tail) == (b"body", "text/plain", "dGFpbA==")
        assert call.ended == [Outcome.SUCCESS]

    run(test)


def test_a_refusal() -> None:
    async def test(call: Call) -> None:
        call.line.refuse()
        with pytest.raises(Refused, match="hot"):
            await call.task
        assert call.ended == []

    run(test)


@pytest.mark.parametrize("late", [False, True])
def test_cancelled_when_it_is_refused(late: bool) -> None:
    async def test(call: Call) -> None:
        if late:
            call.task.cancel()
            await call.cancelled()
        call.line.refuse()
        call.task.cancel()
        if not late:
            await call.cancelled()
        assert call.ended == [Outcome.FAILURE]

    run(test)


@pytest.mark.parametrize("late", [False, True])
def test_cancelled_when_it_is_answered(late: bool) -> None:
    async def test(call: Call) -> None:
        if late:
            call.task.cancel()
            await call.cancelled()
        call.line.reply(*BUFFERED)
        call.task.cancel()
        if not late:
            await call.cancelled()
        assert call.ended == [Outcome.SUCCESS]

    run(test)


def test_cancelled_and_lost() -> None:
    async def test(call: Call) -> None:
        call.task.cancel()
        await call.cancelled()
        assert call.ended == []
        call.line.exchange.lost("gone")
        assert call.ended == [Outcome.FAILURE]

    run(test)


def test_a_buffered_answer_that_breaks_off_is_none() -> None:
    async def test(call: Call) -> None:
        call.line.reply(*BUFFERED[:2], whole=False)
        call.line.exchange.lost("gone")
        with pytest.raises(AgentLost) as lost:
            await call.task
        assert lost.value.delivered
        assert call.ended == []

    run(test)


def test_a_slow_reader_holds_back_and_one_that_hangs_up_does_not() -> None:
    async def test(call: Call) -> None:
        call.line.reply(AnswerHead("text/plain", streamed=True), b"x" * 100_000, whole=False)
        response: AgentResponse = await call.task
        assert call.line.held_back == 1
        assert await anext(aiter(response)) == b"x" * 100_000
        assert call.line.held_back == 0
        call.line.exchange.data(encode_part(b"y" * 100_000), cast(Connection, call.line))
        assert call.line.held_back == 1
        await response.aclose()
        assert call.line.held_back == 0
        call.line.exchange.data(encode_part(b"z" * 100_000), cast(Connection, call.line))
        assert (call.line.held_back, call.ended) == (0, [])
        call.line.exchange.data(encode_part(AnswerEnd("error", "Function.Error", b"{}")), cast(Connection, call.line))
        call.line.exchange.end()
        assert call.ended == [Outcome.ERROR]
        assert response.error_body == b"{}"

    run(test)
