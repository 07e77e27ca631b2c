"""What a function sets up before its first event and takes down after its last one."""

from __future__ import annotations

from polylambda import loop
from polylambda.errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager, AbstractContextManager
    from typing import Any

    Manager = AbstractContextManager[Any] | AbstractAsyncContextManager[Any]
    LifespanLike = Manager | Callable[[], Manager]
    OwnLifespan = Callable[[Any], AbstractAsyncContextManager[Any]]


class Lifespan:
    """A context manager, synchronous or not, around the life of one process; what it yields is `context.state`.

    Entered once before the first poll, left once after the last answer, without an exception however the runtime ends.
    """

    __slots__ = ("_leave", "_source")

    def __init__(self, source: LifespanLike | None, own: OwnLifespan | None = None) -> None:
        """Take what there is to do.

        Args:
            source: a context manager or a callable without arguments that makes one; None for nothing to do.
            own: what the handler brings itself: called with the state of `source`, it makes the context manager to enter
                inside, whose state counts.
        """
        self._source = source if own is None else lambda: _Nested(source, own)
        self._leave: Any = None

    @property
    def given(self) -> bool:
        """There is something to do at the end."""
        return self._source is not None

    def enter(self) -> Any:
        """Enter in a runtime for `def` handlers; an asynchronous lifespan uses the shared loop."""
        manager = self._make()
        if manager is None:
            return None
        if _is_async(manager):
            state, self._leave = loop.run_until_complete(_begin(manager))
        else:
            state = manager.__enter__()
            self._leave = lambda: manager.__exit__(None, None, None)
        return state

    def leave(self) -> None:
        """Leave, if it was entered."""
        leave, self._leave = self._leave, None
        if leave is not None:
            leave()

    async def enter_async(self) -> Any:
        """Enter in a runtime for `async def` handlers, on its loop and in the task that is to leave."""
        manager = self._make()
        if manager is None:
            return None
        if _is_async(manager):
            state = await manager.__aenter__()
            self._leave = manager.__aexit__
        else:
            state = manager.__enter__()

            async def leave(*outcome: Any) -> None:
                manager.__exit__(*outcome)

            self._leave = leave
        return state

    async def leave_async(self) -> None:
        """Leave, if it was entered."""
        leave, self._leave = self._leave, None
        if leave is not None:
            await leave(None, None, None)

    def _make(self) -> Any:
        source: Any = self._source
        if source is None or _is_manager(source):
            return source
        manager = source()
        if not _is_manager(manager):
            raise ConfigurationError(
                f"lifespan= made a {type(manager).__name__}, not a context manager: "
                "decorate the function with contextlib.asynccontextmanager or contextmanager"
            )
        return manager


class _Nested:
    """A handler's own lifespan inside the one that its runtime was given."""

    __slots__ = ("_inner", "_outer", "_own")

    def __init__(self, source: LifespanLike | None, own: OwnLifespan) -> None:
        self._outer = Lifespan(source)
        self._own = own
        self._inner: Any = None

    async def __aenter__(self) -> Any:
        state = await self._outer.enter_async()
        try:
            self._inner = self._own(state)
            return await self._inner.__aenter__()
        except BaseException:
            await self._outer.leave_async()
            raise

    async def __aexit__(self, *outcome: object) -> None:
        try:
            await self._inner.__aexit__(*outcome)
        finally:
            await self._outer.leave_async()


def _is_manager(value: object) -> bool:
    # Looked up as `with` does: a class of context managers is a callable that makes one.
    return _is_async(value) or hasattr(type(value), "__enter__")


def _is_async(value: object) -> bool:
    return hasattr(type(value), "__aenter__")


async def _begin(manager: AbstractAsyncContextManager[Any]) -> tuple[Any, Callable[[], None]]:
    """Enter `manager` in a task that will leave it, since task groups and timeouts insist on one task for both.

    Returns its state, and what leaves it on a loop that stood still meanwhile.
    """
    import asyncio

    entered: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    over = asyncio.Event()

    async def live() -> None:
        async with manager as state:
            entered.set_result(state)
            await over.wait()

    async def end() -> None:
        over.set()
        await living

    living = asyncio.create_task(live(), name="lifespan")
    await asyncio.wait([entered, living], return_when=asyncio.FIRST_COMPLETED)
    if not entered.done():
        await living  # raises why
    return entered.result(), lambda: loop.run_until_complete(end())
