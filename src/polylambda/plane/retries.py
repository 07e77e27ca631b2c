"""When what failed may be tried again: pauses that double with each failure. No I/O and no clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Container, Iterable


class Retries:
    """Pauses between attempts, by the name of what is attempted.

    Args:
        first: seconds after the first failure.
        last: seconds at most.
    """

    def __init__(self, first: float, last: float) -> None:
        self._first = first
        self._last = last
        self._failures: dict[str, int] = {}
        self._until: dict[str, float] = {}
        self._worked: dict[str, set[str]] = {}  # attempts that worked when the last one failed: they prove nothing
        self._seen: set[str] = set()

    def held(self, now: float, name: str) -> bool:
        """Say whether `name` is not to be tried yet."""
        return now < self._until.get(name, now)

    def observe(self, now: float, failed: Iterable[tuple[str, str]], working: Iterable[tuple[str, str]]) -> None:
        """Note what failed and what works, as pairs of a name and the id of an attempt.

        Attempts that are seen to have failed at the same time are one failure. It is forgotten when one works that did
        not work when the last one failed.

        Args:
            now: seconds of any steady clock.
            failed: attempts that failed; those that were there before are known.
            working: attempts that work.
        """
        attempts = list(failed)
        fresh = {name for name, attempt in attempts if attempt not in self._seen}
        self._seen = {attempt for _, attempt in attempts}
        if not fresh and not self._failures:
            return
        works: dict[str, set[str]] = {}
        for name, attempt in working:
            works.setdefault(name, set()).add(attempt)
        for name in list(self._failures):
            if works.get(name, set[str]()) - self._worked[name]:
                self._forget(name)
        for name in fresh:
            count = self._failures[name] = self._failures.get(name, 0) + 1
            self._until[name] = now + min(self._last, self._first * 2.0 ** min(count - 1, 30))
            self._worked[name] = works.get(name, set[str]())

    def keep(self, names: Container[str]) -> None:
        """Forget all but `names`."""
        for name in [name for name in self._failures if name not in names]:
            self._forget(name)

    def _forget(self, name: str) -> None:
        del self._failures[name], self._until[name], self._worked[name]
