"""What keeps invocations apart that use one process at the same time, where Python by itself does not.

Context variables follow an invocation through its calls and its tasks. `Isolation` makes two more things follow them: the
threads that a handler starts, by itself or through an executor, and the variable `_X_AMZN_TRACE_ID`, which botocore and the
X-Ray SDK read from `os.environ`.
"""

from __future__ import annotations

import os
import threading
from contextvars import copy_context
from functools import partial

from polylambda import tracing
from polylambda.context import CURRENT
from polylambda.tracing import TRACE_VARIABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future, ThreadPoolExecutor
    from typing import Any


class Isolation:
    """Has threads and the trace variable follow invocations, in the whole process, as long as it is entered."""

    def __init__(self, *, trace: bool = True) -> None:
        """With `trace` off the variable is a real one, which child processes inherit: for one invocation at a time."""
        self._trace = trace

    def __enter__(self) -> None:
        from concurrent.futures import ThreadPoolExecutor

        self._start, self._submit = threading.Thread.start, ThreadPoolExecutor.submit
        threading.Thread.start = _starting_with_context(self._start)
        ThreadPoolExecutor.submit = _submitting_with_context(self._submit)
        if self._trace:
            self._environ = type(os.environ)
            tracing.share(True)
            os.environ.__class__ = _Environ

    def __exit__(self, *outcome: object) -> None:
        from concurrent.futures import ThreadPoolExecutor

        if self._trace:
            os.environ.__class__ = self._environ
            tracing.share(False)
        threading.Thread.start, ThreadPoolExecutor.submit = self._start, self._submit


def _starting_with_context(start: Callable[..., None]) -> Callable[..., None]:
    """What PEP 567 left out, and free-threaded Python 3.14 does: a thread begins with its starter's context."""

    def start_with_context(thread: threading.Thread) -> None:
        if CURRENT.get() is not None:
            thread.run = partial(copy_context().run, thread.run)  # on the instance: subclasses override `run`
        start(thread)

    return start_with_context


def _submitting_with_context(submit: Callable[..., Future[Any]]) -> Callable[..., Future[Any]]:
    """A pool's threads serve many invocations, so it is the call that brings the context along."""

    def submit_with_context(
        pool: ThreadPoolExecutor, function: Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> Future[Any]:
        return submit(pool, copy_context().run, function, *args, **kwargs)

    return submit_with_context


class _Environ(type(os.environ)):
    """`os.environ` with one name that depends on who asks: each invocation has its own trace header.

    The real variable stays unset. Processes that a handler starts get its header if they are given `os.environ` or a copy.

    The class of the one instance is changed, so that whoever holds `os.environ` already sees it. `get`, `in`, `copy`,
    `items` and `os.getenv` are built on these methods.
    """

    def __getitem__(self, key: str) -> str:
        if key == TRACE_VARIABLE:
            context = CURRENT.get()
            if context is None or not context.trace_header:
                raise KeyError(key)
            return context.trace_header
        return super().__getitem__(key)

    def __setitem__(self, key: str, value: str) -> None:
        if key == TRACE_VARIABLE and (context := CURRENT.get()) is not None:
            context.trace_header = value
        else:
            super().__setitem__(key, value)

    def __delitem__(self, key: str) -> None:
        if key == TRACE_VARIABLE and (context := CURRENT.get()) is not None and context.trace_header:
            context.trace_header = ""
        else:
            super().__delitem__(key)

    def __iter__(self) -> Iterator[str]:
        yield from super().__iter__()
        context = CURRENT.get()
        if context is not None and context.trace_header:
            yield TRACE_VARIABLE

    def __len__(self) -> int:
        context = CURRENT.get()
        return super().__len__() + (context is not None and bool(context.trace_header))
