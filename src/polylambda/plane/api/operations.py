"""What an operation is here: a function of its parameters, checked, that returns its result; it may be a coroutine."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from polylambda.plane.records import Document

Operation: TypeAlias = Callable[[Document], "Document | Awaitable[Document]"]


def inner(document: Document, name: str) -> Document:
    """Return a structure inside `document`; an empty one when it is not there."""
    return document.get(name) or {}
