"""What follows an invocation beyond its context variables: threads, executors' calls, and the trace variable."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, TypeVar

import pytest

from polylambda import tracing
from polylambda.context import CURRENT
from polylambda.isolation import Isolation
from polylambda.tracing import TRACE_VARIABLE, set_trace

T = TypeVar("T")


class Context:
    """An invocation's, as far as isolation looks at it."""

    def __init__(self, name: str, trace_header: str = "") -> None:
        self.name = name
        self.trace_header = trace_header


ONE, TWO = Context("one", "Root=1-one"), Context("two", "Root=1-two")


def within(context: Any, function: Callable[[], T]) -> T:
    """Run a function as a part of the invocation of a context."""

    def call() -> T:
        CURRENT.set(context)
        return function()

    return copy_context().run(call)


def current() -> Any:
    return CURRENT.get()


@pytest.fixture(autouse=True)
def environment() -> Iterator[None]:
    """No trace variable; and whatever happens, nothing stays changed."""
    before = os.environ.pop(TRACE_VARIABLE, None)
    yield
    os.environ.pop(TRACE_VARIABLE, None)
    if before is not None:
        os.environ[TRACE_VARIABLE] = before


@pytest.fixture
def isolated(environment: None) -> Iterator[None]:
    with Isolation():
        yield


# Threads


class Subclass(threading.Thread):
    """Overrides `run`, as many do."""

    def __init__(self, seen: list[Any]) -> None:
        super().__init__()
        self.seen = seen

    def run(self) -> None:
        self.seen.append(current())


def seen_by(make: Callable[[list[Any]], threading.Thread]) -> Any:
    seen: list[Any] = []
    thread = make(seen)
    thread.start()
    thread.join()
    (found,) = seen
    return found


THREADS: dict[str, Callable[[list[Any]], threading.Thread]] = {
    "target": lambda seen: threading.Thread(target=lambda: seen.append(current())),
    "subclass": Subclass,
    "timer": lambda seen: threading.Timer(0, lambda: seen.append(current())),
}


@pytest.mark.usefixtures("isolated")
@pytest.mark.parametrize("kind", THREADS)
def test_a_thread_belongs_to_the_invocation_that_starts_it(kind: str) -> None:
    assert within(ONE, lambda: seen_by(THREADS[kind])) is ONE
    assert within(TWO, lambda: seen_by(THREADS[kind])) is TWO
    assert seen_by(THREADS[kind]) is None


@pytest.mark.usefixtures("isolated")
def test_a_thread_of_a_thread_belongs_to_it_too() -> None:
    seen: list[Any] = []

    def outer() -> None:
        inner = threading.Thread(target=lambda: seen.append(current()))
        inner.start()
        inner.join()

    def handler() -> None:
        thread = threading.Thread(target=outer)
        thread.start()
        thread.join()

    within(ONE, handler)
    assert seen == [ONE]


@pytest.mark.usefixtures("isolated")
def test_what_a_thread_sets_is_not_its_starters() -> None:
    def handler() -> Any:
        thread = threading.Thread(target=lambda: CURRENT.set(TWO))  # pyright: ignore[reportArgumentType]
        thread.start()
        thread.join()
        return current()

    assert within(ONE, handler) is ONE


@pytest.mark.usefixtures("isolated")
def test_the_threads_of_a_pool_serve_whoever_calls() -> None:
    with ThreadPoolExecutor(1) as pool:
        first = within(ONE, lambda: pool.submit(current)).result()  # starts the thread
        assert first is ONE
        assert within(TWO, lambda: pool.submit(current)).result() is TWO
        assert pool.submit(current).result() is None
        assert list(within(ONE, lambda: pool.map(lambda number: (number, current()), [1, 2]))) == [(1, ONE), (2, ONE)]


@pytest.mark.usefixtures("isolated")
def test_a_pool_passes_arguments_results_and_errors_on() -> None:
    def fail() -> None:
        raise KeyError("no luck")

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(lambda *args, **kwargs: (args, kwargs), 1, 2, self=3, fn=4).result() == (
            (1, 2),
            {"self": 3, "fn": 4},
        )
        with pytest.raises(KeyError, match="no luck"):
            pool.submit(fail).result()


@pytest.mark.usefixtures("isolated")
@pytest.mark.parametrize("how", ["to_thread", "run_in_executor", "own executor"])
def test_an_event_loops_executor_serves_whoever_calls(how: str) -> None:
    async def call(pool: ThreadPoolExecutor | None, context: Any) -> Any:
        CURRENT.set(context)
        await asyncio.sleep(0)
        if how == "to_thread":
            return await asyncio.to_thread(current)
        return await asyncio.get_running_loop().run_in_executor(pool, current)

    async def main() -> list[Any]:
        with ThreadPoolExecutor(1) as pool:
            own = pool if how == "own executor" else None
            return await asyncio.gather(*(call(own, context) for context in (ONE, TWO, None, ONE)))

    assert asyncio.run(main()) == [ONE, TWO, None, ONE]


# The trace variable


def lookups() -> dict[str, Any]:
    """What every way to look the variable up tells."""
    return {
        "get": os.environ.get(TRACE_VARIABLE),
        "getenv": os.getenv(TRACE_VARIABLE),
        "in": os.environ[TRACE_VARIABLE] if TRACE_VARIABLE in os.environ else None,  # noqa: SIM401 # it is another way
        "copy": os.environ.copy().get(TRACE_VARIABLE),
        "dict": dict(os.environ).get(TRACE_VARIABLE),
        "unpacked": {**os.environ}.get(TRACE_VARIABLE),
        "items": dict(os.environ.items()).get(TRACE_VARIABLE),
        "merged": (os.environ | {}).get(TRACE_VARIABLE),
    }


@pytest.mark.usefixtures("isolated")
def test_each_invocation_finds_its_own_header_however_it_looks() -> None:
    for context in (ONE, TWO, ONE):
        assert set(within(context, lookups).values()) == {context.trace_header}
    assert set(lookups().values()) == {None}
    assert set(within(Context("untraced"), lookups).values()) == {None}


@pytest.mark.usefixtures("isolated")
def test_invocations_that_take_turns_find_their_own() -> None:
    async def handler(context: Any) -> list[Any]:
        CURRENT.set(context)
        found: list[Any] = []
        for _ in range(5):
            found.append(os.environ.get(TRACE_VARIABLE))
            await asyncio.sleep(0)
        found.append(await asyncio.to_thread(os.getenv, TRACE_VARIABLE))
        return found

    async def main() -> list[list[Any]]:
        return await asyncio.gather(handler(ONE), handler(TWO), handler(Context("untraced")))

    assert asyncio.run(main()) == [[ONE.trace_header] * 6, [TWO.trace_header] * 6, [None] * 6]


@pytest.mark.usefixtures("isolated")
def test_setting_and_deleting_it_is_one_invocations() -> None:
    one, two = Context("one", "Root=1-one"), Context("two", "Root=1-two")

    within(one, lambda: os.environ.__setitem__(TRACE_VARIABLE, "Root=changed"))
    assert within(one, lambda: os.environ[TRACE_VARIABLE]) == "Root=changed"
    assert within(two, lambda: os.environ[TRACE_VARIABLE]) == "Root=1-two"

    assert within(one, lambda: os.environ.pop(TRACE_VARIABLE)) == "Root=changed"
    assert within(one, lambda: os.environ.get(TRACE_VARIABLE)) is None
    assert within(one, lambda: os.environ.pop(TRACE_VARIABLE, "default")) == "default"
    with pytest.raises(KeyError):
        within(one, lambda: os.environ.__delitem__(TRACE_VARIABLE))
    assert within(two, lambda: os.environ[TRACE_VARIABLE]) == "Root=1-two"
    assert within(one, lambda: os.environ.setdefault(TRACE_VARIABLE, "Root=again")) == "Root=again"
    assert one.trace_header == "Root=again"


@pytest.mark.usefixtures("isolated")
def test_length_and_names_agree() -> None:
    def counted() -> tuple[int, int, int]:
        names = list(os.environ)
        return len(os.environ), len(names), names.count(TRACE_VARIABLE)

    length = len(os.environ)
    assert counted() == (length, length, 0)
    assert within(ONE, counted) == (length + 1, length + 1, 1)
    assert within(Context("untraced"), counted) == (length, length, 0)


@pytest.mark.usefixtures("isolated")
def test_other_variables_are_everybodys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLOUR", "blue")
    assert within(ONE, lambda: os.environ["COLOUR"]) == "blue"
    within(ONE, lambda: os.environ.__setitem__("COLOUR", "red"))
    assert (os.environ["COLOUR"], within(TWO, lambda: os.getenv("COLOUR"))) == ("red", "red")
    within(ONE, lambda: os.environ.__delitem__("COLOUR"))
    assert "COLOUR" not in os.environ
    with pytest.raises(KeyError):
        within(ONE, lambda: os.environ["COLOUR"])


@pytest.mark.usefixtures("isolated")
def test_who_holds_the_environment_already_holds_the_same_one() -> None:
    from os import environ

    assert within(ONE, lambda: environ[TRACE_VARIABLE]) == ONE.trace_header
    assert environ is os.environ


@pytest.mark.usefixtures("isolated")
def test_an_invocation_that_begins_leaves_the_real_variable_alone() -> None:
    set_trace("Root=1-somebody")
    assert TRACE_VARIABLE not in os.environ
    assert within(ONE, lambda: os.environ[TRACE_VARIABLE]) == ONE.trace_header


def test_a_header_from_before_is_nobodys() -> None:
    os.environ[TRACE_VARIABLE] = "Root=1-before"
    with Isolation():
        assert TRACE_VARIABLE not in os.environ
        assert within(Context("untraced"), lambda: os.environ.get(TRACE_VARIABLE)) is None


# The end


@pytest.mark.parametrize("error", [None, KeyError("no luck")], ids=["normal", "error"])
def test_everything_is_undone(error: Exception | None) -> None:
    def state() -> tuple[Any, ...]:
        return type(os.environ), threading.Thread.start, ThreadPoolExecutor.submit, tracing._shared

    def fail() -> None:
        if error is not None:
            raise error

    before, variables = state(), dict(os.environ)
    with contextlib.suppress(KeyError), Isolation():
        assert all(now is not then for now, then in zip(state(), before, strict=True))
        fail()

    assert state() == before
    assert dict(os.environ) == variables
    assert within(ONE, lambda: os.environ.get(TRACE_VARIABLE)) is None
    set_trace("Root=1-alone")
    assert os.environ[TRACE_VARIABLE] == "Root=1-alone"


def test_with_one_slot_a_process_has_the_real_variable_and_threads_still_follow() -> None:
    kind = type(os.environ)
    with Isolation(trace=False):
        assert type(os.environ) is kind
        set_trace(ONE.trace_header)
        assert os.environ[TRACE_VARIABLE] == within(TWO, lambda: os.environ[TRACE_VARIABLE]) == ONE.trace_header
        assert within(ONE, lambda: seen_by(THREADS["target"])) is ONE
        with ThreadPoolExecutor(1) as pool:
            assert within(TWO, lambda: pool.submit(current)).result() is TWO
    assert os.environ[TRACE_VARIABLE] == ONE.trace_header
