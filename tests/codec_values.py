"""Values that encoders have different ideas about.

The standard library is enough to import this module: the conformance test gives these values to another Python.
"""

from __future__ import annotations

import dataclasses
import enum
from typing import Any, NamedTuple


class Point(NamedTuple):
    x: int
    y: object


class Text(str):
    __slots__ = ()


class Whole(int):
    pass


class Real(float):
    pass


class Items(list[Any]):
    pass


class Entries(dict[Any, Any]):
    pass


class Colour(str, enum.Enum):  # noqa: UP042 # as functions still write it
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


class Kind(enum.Enum):
    PLAIN = "plain"


@dataclasses.dataclass
class Record:
    a: int = 1


class Row:
    """As SQL libraries have them."""

    def _asdict(self) -> dict[str, object]:
        return {"id": 1, "name": b"n"}


class OddRow:
    def _asdict(self) -> list[int]:
        return [1]
