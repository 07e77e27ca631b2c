"""The bound of what goes on after its answer."""

from __future__ import annotations

import asyncio

import pytest

from polylambda.runtime.background import Background


def running_task() -> asyncio.Task[object]:
    task = asyncio.current_task()
    assert task is not None
    return task


class Handlers:
    """Handlers that take a place in the background, then wait for the gate."""

    def __init__(self, limit: int) -> None:
        self.background = Background(limit)
        self.gate = asyncio.Event()
        self.tasks: list[asyncio.Task[bool]] = []
        self.reasons: list[object] = []

    async def handle(self) -> bool:
        task = running_task()
        taken = self.background.take(task)
        try:
            await self.gate.wait()
        except asyncio.CancelledError as error:
            self.reasons += error.args
            raise
        finally:
            if taken:
                self.background.give_back(task)
        return taken

    async def begin(self, count: int) -> None:
        self.tasks += [asyncio.create_task(self.handle()) for _ in range(count)]
        await asyncio.sleep(0)  # each runs to the gate


@pytest.mark.parametrize(("limit", "count"), [(0, 2), (1, 3), (3, 3), (5, 2)])
def test_no_more_than_the_bound_go_on(limit: int, count: int) -> None:
    async def main() -> None:
        handlers = Handlers(limit)
        await handlers.begin(count)
        handlers.gate.set()
        taken = await asyncio.gather(*handlers.tasks)
        assert taken == [number < limit for number in range(count)]

    asyncio.run(main())


def test_a_place_that_is_given_back_is_free_again() -> None:
    async def main() -> None:
        handlers = Handlers(1)
        await handlers.begin(1)
        handlers.gate.set()
        assert await handlers.tasks.pop()
        handlers.gate.clear()
        await handlers.begin(2)
        handlers.gate.set()
        assert await asyncio.gather(*handlers.tasks) == [True, False]

    asyncio.run(main())


def test_a_handler_has_one_place() -> None:
    async def main() -> None:
        background = Background(5)
        assert background.take(running_task())
        assert not background.take(running_task())
        background.give_back(running_task())
        background.give_back(running_task())
        assert background.take(running_task())

    asyncio.run(main())


def test_a_task_that_took_nothing_gives_nothing_back() -> None:
    async def main() -> None:
        handlers = Handlers(1)
        await handlers.begin(1)
        handlers.background.give_back(running_task())
        assert not handlers.background.take(running_task())
        handlers.gate.set()
        await asyncio.gather(*handlers.tasks)

    asyncio.run(main())


def test_join_waits_for_what_began_meanwhile_too() -> None:
    async def main() -> None:
        handlers = Handlers(2)
        await handlers.begin(1)
        joining = asyncio.create_task(handlers.background.join())
        await handlers.begin(1)
        await asyncio.sleep(0)
        assert not joining.done()
        handlers.gate.set()
        await joining
        assert all(task.done() for task in handlers.tasks)

    asyncio.run(main())


def test_join_returns_at_once_when_there_is_nothing() -> None:
    asyncio.run(Background(1).join())


def test_cancel_ends_all_of_it_with_the_reason_and_nothing_else() -> None:
    async def main() -> None:
        handlers = Handlers(2)
        await handlers.begin(3)
        handlers.background.cancel("the end")
        await handlers.background.join()
        assert [task.cancelled() for task in handlers.tasks] == [True, True, False]
        assert handlers.reasons == ["the end", "the end"]
        handlers.gate.set()  # the third has a slot: it is not background work
        assert not await handlers.tasks[2]

    asyncio.run(main())
