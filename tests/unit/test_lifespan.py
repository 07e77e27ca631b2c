"""Lifespans of every kind, around blocking and asynchronous runtimes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator

import pytest

from polylambda import ConfigurationError, loop
from polylambda.lifespan import Lifespan


@pytest.fixture(autouse=True)
def _closed_loop() -> Iterator[None]:
    yield
    loop.close()


class Log(list):
    """Remembers who entered and who left."""

    @contextlib.contextmanager
    def blocking(self) -> Iterator[str]:
        self.append("entered")
        yield "state"
        self.append("left")

    @contextlib.asynccontextmanager
    async def asynchronous(self) -> AsyncIterator[str]:
        self.append("entered")
        await asyncio.sleep(0)
        yield "state"
        await asyncio.sleep(0)
        self.append("left")


def live(lifespan: Lifespan) -> object:
    state = lifespan.enter()
    lifespan.leave()
    return state


async def live_async(lifespan: Lifespan) -> object:
    state = await lifespan.enter_async()
    await lifespan.leave_async()
    return state


@pytest.mark.parametrize("kind", ["blocking", "asynchronous"])
def test_it_is_entered_and_left_and_yields_the_state(kind):
    for run in (live, lambda lifespan: asyncio.run(live_async(lifespan))):
        log = Log()
        assert run(Lifespan(getattr(log, kind))) == "state"
        assert log == ["entered", "left"]


@pytest.mark.parametrize("kind", ["blocking", "asynchronous"])
def test_a_context_manager_will_do_as_well_as_what_makes_one(kind):
    log = Log()
    assert live(Lifespan(getattr(log, kind)())) == "state"
    assert log == ["entered", "left"]


def test_a_class_of_context_managers_makes_one():
    log = Log()

    class Blocking:
        def __enter__(self) -> str:
            log.append("entered")
            return "state"

        def __exit__(self, *outcome: object) -> None:
            log.append(outcome)

    class Asynchronous:
        async def __aenter__(self) -> str:
            return Blocking().__enter__()

        async def __aexit__(self, *outcome: object) -> None:
            Blocking().__exit__(*outcome)

    for lifespan in (Blocking, Asynchronous):
        assert live(Lifespan(lifespan)) == asyncio.run(live_async(Lifespan(lifespan))) == "state"
    assert log == ["entered", (None, None, None)] * 4


def test_nothing_is_a_lifespan_too():
    lifespan = Lifespan(None)
    assert not lifespan.given
    assert live(lifespan) is None
    assert asyncio.run(live_async(lifespan)) is None


def test_it_is_left_once():
    log = Log()
    lifespan = Lifespan(log.blocking)
    assert lifespan.given
    lifespan.enter()
    lifespan.leave()
    lifespan.leave()
    assert log == ["entered", "left"]


def test_what_was_not_entered_is_not_left():
    Lifespan(Log().blocking).leave()
    asyncio.run(Lifespan(Log().asynchronous).leave_async())


def test_an_asynchronous_one_is_entered_and_left_by_one_task():
    """As task groups and timeouts demand."""

    @contextlib.asynccontextmanager
    async def lifespan() -> AsyncIterator[asyncio.Task]:
        entered_by = asyncio.current_task()
        async with asyncio.TaskGroup() as group, asyncio.timeout(None):
            task = group.create_task(asyncio.sleep(0, "done"))
            yield task
        assert asyncio.current_task() is entered_by

    for run in (live, lambda lifespan: asyncio.run(live_async(lifespan))):
        task = run(Lifespan(lifespan))
        assert isinstance(task, asyncio.Task)
        assert task.result() == "done"


def test_an_asynchronous_one_shares_the_loop_of_coroutines_behind_a_def():
    @contextlib.asynccontextmanager
    async def lifespan() -> AsyncIterator[asyncio.AbstractEventLoop]:
        yield asyncio.get_running_loop()

    async def running() -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    entered = Lifespan(lifespan)
    assert entered.enter() is loop.run_until_complete(running())
    entered.leave()


def test_user_code_may_run_loops_of_its_own_between():
    log = Log()
    lifespan = Lifespan(log.asynchronous)
    lifespan.enter()
    asyncio.run(asyncio.sleep(0))
    lifespan.leave()
    assert log == ["entered", "left"]


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_what_fails_at_the_beginning_is_passed_on(kind):
    @contextlib.contextmanager
    def blocking() -> Iterator[None]:
        raise KeyError("table")
        yield

    @contextlib.asynccontextmanager
    async def asynchronous() -> AsyncIterator[None]:
        raise KeyError("table")
        yield

    make = blocking if kind == "def" else asynchronous
    for run in (live, lambda lifespan: asyncio.run(live_async(lifespan))):
        with pytest.raises(KeyError, match="table"):
            run(Lifespan(make))


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_what_fails_at_the_end_is_passed_on(kind):
    @contextlib.contextmanager
    def blocking() -> Iterator[None]:
        yield
        raise KeyError("table")

    @contextlib.asynccontextmanager
    async def asynchronous() -> AsyncIterator[None]:
        yield
        raise KeyError("table")

    make = blocking if kind == "def" else asynchronous
    for run in (live, lambda lifespan: asyncio.run(live_async(lifespan))):
        with pytest.raises(KeyError, match="table"):
            run(Lifespan(make))


def test_a_function_that_was_not_decorated_is_told_so():
    def lifespan():
        yield

    with pytest.raises(ConfigurationError, match=r"lifespan= made a generator, not a context manager: decorate"):
        Lifespan(lifespan).enter()
