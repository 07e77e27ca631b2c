"""What goes into a function's log, and which of it is the end of an invocation's."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from polylambda.plane.agent.log import Log
from polylambda.plane.agent.protocol import LogRecord


class Written:
    def __init__(self, **options: Any) -> None:
        self.records: list[dict[str, Any]] = []
        self.once: list[bool] = []
        self.log = Log("e1", self._take, **options)

    def _take(self, record: LogRecord) -> None:
        assert record.id == "e1"
        self.once.append(record.once)
        line = bytes(record.record)
        assert b"\n" not in line
        self.records.append(json.loads(line))

    def tail(self, request_id: str) -> list[str]:
        return base64.b64decode(self.log.end_tail(request_id)).decode().splitlines()


def test_lines_of_the_function() -> None:
    it = Written()
    for line in (b"text", b'{"a": 1}', b'{"a": ', b'{"a": "\xff"}', b"\xff", b"[1]", b""):
        it.log.output("stdout", line)
    assert [record["record"] for record in it.records] == [
        *("text", {"a": 1}, '{"a": ', '{"a": "\ufffd"}', "\ufffd", "[1]", ""),
    ]
    assert {record["type"] for record in it.records} == {"function"}
    time = datetime.strptime(it.records[0]["time"], "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
    assert abs(datetime.now(UTC) - time) < timedelta(minutes=1)


def test_events_and_notes() -> None:
    it = Written()
    it.log.platform("platform.start", {"requestId": "1"})
    it.log.note("the bootstrap is missing")
    it.log.note("no python3.99 here", once=True)
    assert [(record["type"], record["record"]) for record in it.records] == [
        ("platform.start", {"requestId": "1"}),
        ("polylambda", "the bootstrap is missing"),
        ("polylambda", "no python3.99 here"),
    ]
    assert it.once == [False, False, True]


EVENTS: list[tuple[str, dict[str, Any]]] = [
    ("initStart", {}),
    ("initRuntimeDone", {"status": "success"}),
    ("initReport", {"status": "success"}),
    ("start", {"requestId": "1"}),
    ("report", {"requestId": "1", "status": "success"}),
    ("initRuntimeDone", {"status": "error"}),
    ("initReport", {"status": "timeout"}),
    ("report", {"requestId": "1", "status": "failure"}),
    ("logsDropped", {}),
]


@pytest.mark.parametrize(
    ("level", "passed"),
    [("DEBUG", EVENTS), ("INFO", EVENTS[:1] + EVENTS[2:]), ("WARN", EVENTS[5:]), ("", EVENTS[:1] + EVENTS[2:])],
)
def test_the_level_is_that_of_the_platform_s_events_alone(level: str, passed: list[tuple[str, dict[str, Any]]]) -> None:
    it = Written(level=level)
    it.log.begin_tail("1")
    for kind, record in EVENTS:
        it.log.platform(f"platform.{kind}", record)
    assert [(record["type"].removeprefix("platform."), record["record"]) for record in it.records] == passed
    assert len(it.tail("1")) == sum("requestId" in record for _, record in passed)
    it.log.output("stdout", b"text")
    it.log.note("a note")
    assert len(it.records) == len(passed) + 2


def test_the_tail_has_what_may_belong_to_the_invocation() -> None:
    it = Written()
    it.log.begin_tail("1")
    it.log.begin_tail("2")
    it.log.platform("platform.start", {"requestId": "1"})
    it.log.platform("platform.start", {"requestId": "3"})
    it.log.output("stdout", b"text")
    it.log.output("stdout", b'{"requestId": "1", "message": "one"}')
    it.log.output("stdout", b'{"requestId": "2", "message": "two"}')
    it.log.output("stdout", b'{"requestId": "3", "message": "three"}')
    start, *rest = it.tail("1")
    assert json.loads(start)["record"] == {"requestId": "1"}
    assert rest == ["text", '{"requestId": "1", "message": "one"}']
    assert it.tail("2") == ["text", '{"requestId": "2", "message": "two"}']
    assert it.tail("2") == []


def test_the_tail_is_the_last_4_kilobytes() -> None:
    it = Written()
    it.log.begin_tail("1")
    for _ in range(10_000):
        it.log.output("stdout", b"")
    it.log.output("stdout", b"x" * 4090)
    assert base64.b64decode(it.log.end_tail("1")) == b"\n" * 5 + b"x" * 4090 + b"\n"
