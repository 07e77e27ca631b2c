"""Long answers in pieces: `Marker` and `MaxItems`, as the paginators of SDKs use them."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, TypeVar

from polylambda.plane.api import errors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from polylambda.plane.records import Document

T = TypeVar("T")

DEFAULT_ITEMS = 50


def page(items: Iterable[T], key: Callable[[T], str], parameters: Document) -> tuple[list[T], str | None]:
    """Return the items of the page that `parameters` ask for, and the marker of the next page.

    Items come in the order of `key`, which is different for each: so what is added or removed between two pages makes
    none of the others come twice or not at all.

    Raises:
        ApiError: the marker is none of ours.
    """
    after = _unpacked(parameters["Marker"]) if parameters.get("Marker") else None
    limit: int = parameters.get("MaxItems") or DEFAULT_ITEMS
    rest = sorted((item for item in items if after is None or key(item) > after), key=key)
    found = rest[:limit]
    return found, _packed(key(found[-1])) if len(rest) > limit else None


def _packed(key: str) -> str:
    return base64.urlsafe_b64encode(key.encode()).decode()


def _unpacked(marker: str) -> str:
    try:
        return base64.b64decode(marker.encode(), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise errors.invalid_parameter(
            f"Marker is {marker[:40]!r}: give the NextMarker of the page before, or leave it out"
        ) from error
