"""What a function sets up before its first event and takes down after its last one."""

from __future__ import annotations

from polylambda import loop
from polylambda.errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager, AbstractContextManager
    from typing import Any

    Manager = AbstractContextManager[Any] | AbstractAsyncContextManager[Any]
    LifespanLike = Manager | Callable[[], Manager]


class Lifespan:
    """A context manager, synchronous or not, around the life of one process; what it yields is `context.state`.

    Entered once before the first poll, left once after the last answer.
    """

    __slots__ = ("_leave", "_source")

    def __init__(self, source: LifespanLike | None) -> None:
        """Take a context manager or a callable without arguments that makes one; None for nothing to do."""
        self._source = source
        self._leave: Any = None

    @property
    def given(self) -> bool:
        """There is something to do at the end."""
        return self._source is not None

    def enter(self) -> Any:
        """Enter in a runtime for `def` handlers; an asynchronous one uses the shared loop."""
        manager = self._make()
        if manager is None:
            return None
        if hasattr(manager, "__aenter__"):
            state = loop.run_until_complete(_call(manager.__aenter__))
            self._leave = lambda: loop.run_until_complete(_call(manager.__aexit__, None, None, None))
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
        """Enter in a runtime for `async def` handlers, on its loop."""
        manager = self._make()
        if manager is None:
            return None
        if hasattr(manager, "__aenter__"):
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


def _is_manager(value: object) -> bool:
    return hasattr(value, "__aenter__") or hasattr(value, "__enter__")


async def _call(function: Callable[..., Any], *arguments: Any) -> Any:
    return await function(*arguments)
