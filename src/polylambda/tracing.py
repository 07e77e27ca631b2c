"""The X-Ray trace header where botocore and the X-Ray SDK look for it: `os.environ["_X_AMZN_TRACE_ID"]`.

The one place that writes to the environment. With one invocation at a time the variable is set for each, as AWS's runtime
does. With several in one process it cannot be: then `os.environ` answers for this one name with the header of the
invocation that asks, and the real variable stays unset.
"""

from __future__ import annotations

import os

from polylambda.context import CURRENT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

TRACE_VARIABLE = "_X_AMZN_TRACE_ID"


def set_trace(header: str) -> None:
    """Set the trace header of the invocation that begins; an empty one removes it.

    For runtimes that hold one invocation at a time.
    """
    if header:
        os.environ[TRACE_VARIABLE] = header
    else:
        os.environ.pop(TRACE_VARIABLE, None)


def follow_invocations() -> None:
    """Make `os.environ` give each invocation its own trace header, from now on.

    Processes that a handler starts get the header of the invocation that starts them, as long as they are given
    `os.environ` or a copy of it.
    """
    os.environ.pop(TRACE_VARIABLE, None)
    os.environ.__class__ = _Environ


class _Environ(type(os.environ)):
    """`os.environ` with one name that depends on who asks.

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
