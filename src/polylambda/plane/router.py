"""The router: which environment gets an invocation. No I/O and no clock.

It counts what is in flight by itself: a slot is taken when `route` names an environment, and free again when the caller
says that the invocation is over. In flight is never above an environment's limit, whatever its runtime polls.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from polylambda.plane.states import IllegalStep

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random


class Cause(Enum):
    """Why an invocation was throttled, by CloudWatch's names; exactly one is counted for each."""

    CONCURRENCY = "ConcurrencyThrottles"
    CPU = "CPUThrottles"
    MEMORY = "MemoryThrottles"
    DISK = "DiskThrottles"


class Router:
    """Chooses environments for invocations: of two that have a free slot, the one with the lower share of them in use.

    Two random candidates are nearly as good as the best of all, and far better than one: "The Power of Two Choices in
    Randomized Load Balancing", Mitzenmacher, 2001. They are of two zones where that is possible, so that zones stay even.

    Args:
        rng: makes its random choices.
    """

    def __init__(self, rng: Random) -> None:
        self._random = rng.random
        self._pools: dict[str, _Pool] = {}
        self._environments: dict[str, _Environment] = {}

    def add(self, version: str, environment: str, *, zone: str, limit: int) -> None:
        """Take an environment of `version` into service: it is Ready, and may hold `limit` invocations at once.

        Raises:
            ValueError: it is there already, or its limit is below 1.
        """
        if environment in self._environments:
            raise ValueError(f"environment {environment} is in the router already; remove it first")
        if limit < 1:
            raise ValueError(f"environment {environment} cannot hold {limit} invocations; its limit must be 1 at least")
        pool = self._pool(version)
        each = self._environments[environment] = _Environment(environment, pool, zone, limit)
        pool.size += 1
        pool.sort_in(each)

    def remove(self, environment: str) -> None:
        """Give an environment nothing more: it drains, or is gone. What is in flight there goes on being counted."""
        each = self._environments.get(environment)
        if each is None or each.pool is None:
            return
        pool, each.pool = each.pool, None
        pool.size -= 1
        pool.heat(each, None)
        pool.sort_in(each)
        if not each.in_flight:
            del self._environments[environment]
        else:
            each.forget = self._environments.pop

    def observe(self, environment: str, *, polls: int | None, hot: Cause | None, cpu: float) -> None:
        """Note what its agent measured. Of an environment that is not in the router: nothing happens.

        Args:
            environment: its id.
            polls: requests for an invocation that its runtime has open; None: not known.
            hot: why it refuses invocations, if it does.
            cpu: share of its vCPUs that it used lately, 0 to 1.
        """
        each = self._environments.get(environment)
        if each is None or each.pool is None:
            return
        each.cpu = cpu
        each.open = each.limit
        each.expected = each.limit if polls is None else max(1, min(each.limit, each.in_flight + polls))
        each.pool.heat(each, hot)
        each.pool.sort_in(each)

    def route(self, version: str) -> Route | Cause:
        """Take a slot of an environment of `version`; return why not when none can be had, and count a refusal."""
        return self._pool(version).choose(None)

    def in_flight(self, environment: str) -> int:
        """Return how many invocations an environment holds, also one that was removed."""
        each = self._environments.get(environment)
        return each.in_flight if each is not None else 0

    def refusals(self, version: str) -> int:
        """Return how many invocations of `version` nobody could take, since the router was made."""
        pool = self._pools.get(version)
        return pool.refusals if pool is not None else 0

    def _pool(self, version: str) -> _Pool:
        pool = self._pools.get(version)
        if pool is None:
            pool = self._pools[version] = _Pool(self._random)
        return pool


class Route:
    """An invocation's place in an environment, which holds one of its slots.

    Either `done` or `refused` is called, once; `refused` only while the runtime has certainly not seen the invocation.

    Attributes:
        environment: id of the environment.
    """

    __slots__ = ("_each", "_pool", "_tried", "environment")

    def __init__(self, pool: _Pool, each: _Environment, tried: set[str] | None) -> None:
        self.environment = each.id
        self._pool = pool
        self._each: _Environment | None = each
        self._tried = tried

    def done(self) -> None:
        """Free the slot: the invocation is over, however it ended.

        Raises:
            IllegalStep: that was said before, or the environment refused it.
        """
        self._pool.release(self._leave())

    def refused(self, cause: Cause) -> Route | Cause:
        """Free the slot, for the environment refused the invocation; return where to go next, or the one cause to count.

        Raises:
            IllegalStep: it was refused before, or is over.
        """
        each = self._leave()
        self._pool.release(each)
        self._pool.learn(each, cause)
        tried = self._tried or set[str]()
        tried.add(each.id)
        return self._pool.choose(tried)

    def _leave(self) -> _Environment:
        each, self._each = self._each, None
        if each is None:
            raise IllegalStep(f"the invocation has left environment {self.environment} before: it was done, or refused")
        return each


class _Environment:
    """An environment, and what is known of it."""

    __slots__ = ("at", "cpu", "expected", "forget", "hot", "id", "in_flight", "limit", "open", "pool", "zone")

    def __init__(self, name: str, pool: _Pool, zone: str, limit: int) -> None:
        self.id = name
        self.pool: _Pool | None = pool  # None once it was removed
        self.zone = zone
        self.limit = limit
        self.in_flight = 0
        self.open = limit  # slots it is thought to have: fewer after a refusal, until it was observed again
        self.expected = limit  # slots its runtime polls for; a hint only, for it is old when it arrives
        self.hot: Cause | None = None
        self.cpu = 0.0
        self.at = -1  # its place in `_Pool.free`; -1: not there
        self.forget: Callable[[str], object] | None = None  # once it was removed: called when nothing is in flight


class _Pool:
    """The environments of one version. `free` holds those that may be chosen: not hot, and with a free slot."""

    __slots__ = ("free", "hot", "random", "refusals", "size")

    def __init__(self, random: Callable[[], float]) -> None:
        self.random = random
        self.free: list[_Environment] = []
        self.hot: dict[Cause, int] = {}
        self.refusals = 0
        self.size = 0

    def choose(self, tried: set[str] | None) -> Route | Cause:
        """Take a slot of an environment that was not tried."""
        free = [each for each in self.free if each.id not in tried] if tried else self.free
        count = len(free)
        if count == 0:
            self.refusals += 1
            return self._cause()
        each = free[0] if count == 1 else self._better(free, count)
        each.in_flight += 1
        if each.in_flight >= each.open:
            self.sort_in(each)
        return Route(self, each, tried)

    def release(self, each: _Environment) -> None:
        """Free a slot."""
        each.in_flight -= 1
        if each.at < 0:
            self.sort_in(each)
            if each.forget is not None and not each.in_flight:
                each.forget(each.id)

    def learn(self, each: _Environment, cause: Cause) -> None:
        """Expect the next invocation to be refused as the last one was, until its agent says more or a slot is freed."""
        if cause is not Cause.CONCURRENCY:
            self.heat(each, cause)
        elif each.in_flight:
            each.open = min(each.open, each.in_flight)
        else:
            # Nothing will end there that could free a slot, so it stays open: perhaps its runtime polls again at once.
            each.expected = 1
        self.sort_in(each)

    def sort_in(self, each: _Environment) -> None:
        """Put an environment into `free` or take it out, as it is now."""
        usable = each.pool is self and each.hot is None and each.in_flight < each.open
        if usable == (each.at >= 0):
            return
        free = self.free
        if usable:
            each.at = len(free)
            free.append(each)
        else:
            # The last one takes its place: the order means nothing.
            last = free.pop()
            if last is not each:
                free[each.at] = last
                last.at = each.at
            each.at = -1

    def heat(self, each: _Environment, hot: Cause | None) -> None:
        """Note that an environment is hot, or no longer. Of one that was removed: nothing happens."""
        if each.hot is not None:
            self.hot[each.hot] -= 1
        each.hot = hot if each.pool is self else None
        if each.hot is not None:
            self.hot[each.hot] = self.hot.get(each.hot, 0) + 1

    def _better(self, free: list[_Environment], count: int) -> _Environment:
        first = int(self.random() * count)
        one = free[first]
        other = free[first - 1 - int(self.random() * (count - 1))]  # any but the first: indices wrap around
        if other.zone == one.zone and count > 2:
            other = free[first - 1 - int(self.random() * (count - 1))]
        share, others = one.in_flight / one.expected, other.in_flight / other.expected
        if share == others:
            return one if one.cpu <= other.cpu else other
        return one if share < others else other

    def _cause(self) -> Cause:
        # What keeps most of them from taking it; of equals, what tells more than that slots are in use.
        most, cause = self.size - sum(self.hot.values()), Cause.CONCURRENCY
        for each, count in self.hot.items():
            if count and count >= most:
                most, cause = count, each
        return cause
