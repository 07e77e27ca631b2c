"""Markers: what an invocation's data are recognised by, wherever they turn up. Pure.

A marker is twelve hexadecimal digits, so that it also fits into a UUID: a constant beginning, the number of its invocation,
and four digits that depend on the seed, which no other data has by accident.
"""

from __future__ import annotations

import base64
import binascii
import re
import zlib

_BEGINNING = "fa5e"
_MARKER = re.compile(rf"{_BEGINNING}([0-9a-f]{{4}})([0-9a-f]{{4}})")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{20,}")
_MAX = 0xFFFF


class Marks:
    """The markers of a run: they depend on its seed only."""

    def __init__(self, seed: int) -> None:
        """Take the seed."""
        self._seed = seed

    def of(self, number: int) -> str:
        """Return the marker of an invocation, whose number is at most 65,535."""
        if not 0 <= number <= _MAX:
            raise ValueError(f"invocation {number} has no marker: a run has at most {_MAX + 1} invocations")
        return f"{_BEGINNING}{number:04x}{self._check(number):04x}"

    def request_id(self, number: int) -> str:
        """Return the id of an invocation, a UUID that ends in its marker."""
        return f"{number:08x}-0000-4000-8000-{self.of(number)}"

    def number(self, request_id: str) -> int | None:
        """Return the invocation whose id this is, None when it is none of the run's."""
        found = self.find(request_id[-12:])
        return found.pop() if found else None

    def find(self, data: str | bytes | bytearray | memoryview) -> set[int]:
        """Return the invocations whose markers are in `data`, also in upper case or in base64."""
        text = data if isinstance(data, str) else bytes(data).decode("latin-1")
        found = self.find_plain(text)
        for token in _BASE64.findall(text):
            padded = token.replace("-", "+").replace("_", "/")
            try:
                decoded = base64.b64decode(padded + "=" * (-len(padded) % 4))
            except (binascii.Error, ValueError):
                continue
            found |= self.find_plain(decoded.decode("latin-1"))
        return found

    def find_plain(self, text: str) -> set[int]:
        """Return the invocations whose markers are in a text as they are; much the faster."""
        lowered = text.lower()
        if _BEGINNING not in lowered:
            return set()
        return {
            number
            for digits, check in _MARKER.findall(lowered)
            if int(check, 16) == self._check(number := int(digits, 16))
        }

    def _check(self, number: int) -> int:
        return zlib.crc32(f"{self._seed}/{number}".encode()) & 0xFFFF
