"""Events on their way to the plane: at once when they matter, kept while nobody listens, bounded."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any, cast

import msgspec

from polylambda.plane.agent.events import MAX_BACKLOG, Events
from polylambda.plane.agent.http import Connection
from polylambda.plane.agent.protocol import EnvironmentChanged, InstanceMeasures, LogRecord
from tests.unit import virtual_loop

RECORD = LogRecord("e1", msgspec.Raw(b'"' + b"x" * 100_000 + b'"'))


class Follower:
    """A connection that follows."""

    def __init__(self) -> None:
        self.writes: list[list[dict[str, Any]]] = []
        self.backlog = 0
        self.state = ""
        self.hang_up: Callable[[], None]

    def begin(self, status: int, *, content_type: str, on_lost: Callable[[], None]) -> None:
        self.state = "begun"
        self.hang_up = on_lost

    def write(self, data: bytes) -> None:
        if data:
            self.writes.append([json.loads(line) for line in data.splitlines()])

    def finish(self) -> None:
        self.state = "finished"

    def abort(self) -> None:
        self.state = "aborted"

    def follow(self, events: Events) -> Follower:
        events.follow(cast(Connection, self))
        return self

    @property
    def kinds(self) -> list[list[str]]:
        return [[event["kind"] for event in write] for write in self.writes]


def test_events_wait_for_who_follows_them() -> None:
    async def main() -> None:
        events = Events()
        assert events.unheard_since is not None
        events.emit(EnvironmentChanged("e1", "Ready"))
        await asyncio.sleep(1)
        follower = Follower().follow(events)
        assert (follower.state, follower.kinds) == ("begun", [["environment"]])
        assert events.unheard_since is None
        follower.hang_up()
        assert events.unheard_since is not None

    virtual_loop.run(main())


def test_small_things_are_gathered_and_changes_are_not() -> None:
    async def main() -> None:
        events = Events()
        follower = Follower().follow(events)
        for _ in range(3):
            events.emit(InstanceMeasures(0.0, 0.0, 0, 1))
        await asyncio.sleep(0)
        assert follower.kinds == []
        await asyncio.sleep(1)
        assert follower.kinds == [["instance"] * 3]
        events.emit(RECORD)
        events.emit(EnvironmentChanged("e1", "Dead"))
        await asyncio.sleep(0)
        assert follower.kinds == [["instance"] * 3, ["log", "environment"]]

    virtual_loop.run(main())


def test_the_last_follower_wins() -> None:
    async def main() -> None:
        events = Events()
        first, second = Follower().follow(events), Follower().follow(events)
        assert first.state == "aborted"
        first.hang_up()
        assert events.unheard_since is None
        events.emit(EnvironmentChanged("e1", "Dead"))
        events.close()
        assert (second.kinds, second.state) == ([["environment"]], "finished")

    virtual_loop.run(main())


def test_log_records_are_dropped_when_nobody_reads_them() -> None:
    async def main() -> None:
        events = Events()
        follower = Follower().follow(events)
        follower.backlog = MAX_BACKLOG
        events.emit(RECORD)
        events.emit(RECORD)
        events.emit(EnvironmentChanged("e1", "Dead"))
        await asyncio.sleep(1)
        assert follower.kinds == [["environment"]]
        follower.backlog = 0
        events.emit(InstanceMeasures(0.0, 0.0, 0, 1))
        await asyncio.sleep(1)
        assert follower.kinds[1:] == [["instance", "log"]]
        dropped = follower.writes[1][1]["record"]
        assert dropped["type"] == "platform.logsDropped"
        assert dropped["record"]["droppedRecords"] == 2

    virtual_loop.run(main())


def test_what_waits_for_a_first_follower_is_bounded() -> None:
    async def main() -> None:
        events = Events()
        for _ in range(2 * MAX_BACKLOG // 100_000):
            events.emit(RECORD)
        follower = Follower().follow(events)
        (write,) = follower.writes
        assert 150 < len(write) < 180

    virtual_loop.run(main())
