"""Saying that a handler may run concurrently, and seeing at the door that one may not.

What can be seen without reading the source is seen here, before the first event. Everything else is for `polylambda check`.
"""

from __future__ import annotations

import io
from collections import deque
from types import MethodType

from polylambda.errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, TypeVar

    T = TypeVar("T", bound=Callable[..., Any])

_MARK = "__polylambda_concurrency_safe__"
_MUTABLE = (dict, list, set, bytearray, deque, io.IOBase)


def concurrency_safe(target: T) -> T:
    """Declare that a handler may serve several invocations at once, in one process.

    For functions, and for classes whose instances are handlers. It changes nothing but what `LambdaManagedRuntime`
    accepts: a `def` handler so declared may run in threads, and an object so declared may hold mutable state.

    Example:
        >>> @concurrency_safe
        ... def handler(event, context):
        ...     return {"hello": event["name"]}
    """
    setattr(target, _MARK, True)
    return target


def is_declared_safe(handler: object) -> bool:
    """Say whether the handler, its function or its class was declared `@concurrency_safe`."""
    if isinstance(handler, MethodType):
        return bool(getattr(handler.__func__, _MARK, False)) or is_declared_safe(handler.__self__)
    if getattr(handler, _MARK, False):
        return True
    return any(getattr(getattr(type(handler), name, None), _MARK, False) for name in ("handle", "__call__"))


def refuse_shared_state(handler: object) -> None:
    """Refuse a handler object whose state several invocations would share, unless it was declared to be safe.

    Raises:
        ConfigurationError: names the attribute, and the ways out.
    """
    if is_declared_safe(handler):
        return
    owner = handler.__self__ if isinstance(handler, MethodType) else handler
    name = type(owner).__qualname__
    for attribute, value in _attributes(owner):
        kind: type = value.__class__
        if issubclass(kind, _MUTABLE):
            raise ConfigurationError(
                f"handler {name} holds mutable state, its attribute {attribute!r} ({kind.__name__}), which invocations that run at "
                "the same time would share: if that is meant and safe, declare its class @concurrency_safe; else keep the "
                "state per invocation, or set AWS_LAMBDA_CONCURRENCY_MODE=process"
            )


def _attributes(owner: object) -> Iterator[tuple[str, Any]]:
    if callable(owner) and hasattr(owner, "__code__"):
        return  # a function: its attributes are hardly its state
    yield from getattr(owner, "__dict__", {}).items()
    for each in owner.__class__.__mro__:
        slots: Any = each.__dict__.get("__slots__", ())
        for slot in (slots,) if isinstance(slots, str) else slots:
            is_private = slot.startswith("__") and not slot.endswith("__")
            name = f"_{each.__name__.lstrip('_')}{slot}" if is_private else slot  # as the compiler mangles it
            if name not in ("__dict__", "__weakref__") and hasattr(owner, name):
                yield name, getattr(owner, name)
