"""What ASGI calls things: https://asgi.readthedocs.io/en/latest/specs/www.html."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
Lines = list[tuple[bytes, bytes]]
"""Headers: a name in lower case and a value for each line."""


def versions() -> dict[str, str]:
    """Return the `asgi` of a scope. From 2.4 on, `send` raises an `OSError` when the caller is gone."""
    return {"version": "3.0", "spec_version": "2.4"}
