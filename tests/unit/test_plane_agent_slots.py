"""Who may have a slot, when the runtime's polls come late, early, or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine

from polylambda.plane.agent.slots import SlotBroker
from polylambda.server.invocation import Invocation, Outcome
from polylambda.server.ledger import Attempt
from tests.unit import virtual_loop


class Poll:
    def __init__(self) -> None:
        self.attempt: Attempt | None = None
        self.delivered = asyncio.Event()

    def deliver(self, attempt: Attempt) -> None:
        self.attempt = attempt
        self.delivered.set()


class Sender:
    def resume(self) -> None: ...
    def refuse(self, refusal: object) -> None: ...


def run(test: Callable[[], Coroutine[None, None, None]]) -> None:
    virtual_loop.run(test())


def poll(broker: SlotBroker) -> Poll:
    it = Poll()
    broker.poll(it)
    return it


def answer(broker: SlotBroker, given: Poll) -> None:
    assert given.attempt is not None
    reply = broker.begin_answer(
        given.attempt.invocation.request_id, "", Sender(), content_type="application/json", mode=None
    )
    reply.finish({})


async def call(broker: SlotBroker) -> Outcome | None:
    if not await broker.room():
        return None
    return (await broker.invoke(Invocation(payload=b""))).outcome


def test_a_poll_that_waits_is_used_at_once() -> None:
    async def test() -> None:
        broker = SlotBroker(1)
        given = poll(broker)
        assert broker.polls == 1
        task = asyncio.create_task(call(broker))
        await asyncio.sleep(0)
        assert broker.polls == 0
        answer(broker, given)
        assert await task is Outcome.SUCCESS

    run(test)


def test_no_more_than_the_slots_whatever_polls_there_are() -> None:
    async def test() -> None:
        broker = SlotBroker(2)
        polls = [poll(broker) for _ in range(5)]
        tasks = [asyncio.create_task(call(broker)) for _ in range(3)]
        assert await tasks[2] is None
        for given in polls[:2]:
            answer(broker, given)
        assert [await task for task in tasks[:2]] == [Outcome.SUCCESS, Outcome.SUCCESS]

    run(test)


def test_a_poll_that_is_on_its_way_is_waited_for_in_turn() -> None:
    async def test() -> None:
        broker = SlotBroker(2)
        tasks = [asyncio.create_task(call(broker)) for _ in range(3)]
        await asyncio.sleep(0)
        assert await tasks[2] is None  # there are only two slots to wait for
        for task in tasks[:2]:
            given = poll(broker)
            await given.delivered.wait()
            answer(broker, given)
            assert await task is Outcome.SUCCESS

    run(test)


def test_a_poll_that_never_comes_is_not_waited_for_long() -> None:
    async def test() -> None:
        broker = SlotBroker(1)
        assert await call(broker) is None
        given = poll(broker)
        broker.drop_poll(given)
        assert await call(broker) is None

    run(test)


def test_who_comes_later_does_not_take_the_poll_of_who_waits() -> None:
    async def test() -> None:
        broker = SlotBroker(2)
        first = asyncio.create_task(broker.room())
        await asyncio.sleep(0)
        poll(broker)
        second = asyncio.create_task(broker.room())
        assert await first
        assert not await second or broker.polls == 1

    run(test)


def test_a_closed_broker_has_no_room_at_once() -> None:
    async def test() -> None:
        broker = SlotBroker(2)
        waiting = asyncio.create_task(broker.room())
        await asyncio.sleep(0)
        broker.close()
        assert not await waiting
        assert not await broker.room()
        assert asyncio.get_running_loop().time() == 0

    run(test)
