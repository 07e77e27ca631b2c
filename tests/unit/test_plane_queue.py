"""The queue of asynchronous invocations: nothing is lost, nothing is handed out twice."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from polylambda.errors import ConfigurationError
from polylambda.plane import queue as queue_module
from polylambda.plane.queue import DeadLetter, Event, EventQueue
from polylambda.server.invocation import Invocation

F = ("f", "1")


def event(payload: bytes = b"{}", *, at: float = 0.0, function: str = "f") -> Event:
    invocation = Invocation(
        payload=payload,
        content_type="text/plain",
        request_id="id-1",
        invoked_function_arn="arn:f",
        trace_id="Root=1",
        tenant_id="t",
    )
    return Event(
        function=function,
        version="1",
        qualifier="live",
        invocation=invocation,
        accepted_at=at,
        attempts=1,
        refusals=2,
        chain=("arn:g",),
    )


def letter(number: int = 0) -> DeadLetter:
    return DeadLetter(
        time="2026-01-02T03:04:05.678Z",
        request_id=f"id-{number}",
        function_arn="arn:f",
        condition="RetriesExhausted",
        attempts=3,
        request_payload={"a": [1]},
        response_payload={"errorType": "ValueError"},
    )


def test_an_event_comes_out_as_it_went_in(tmp_path: Path) -> None:
    with closing(EventQueue(tmp_path)) as queue:
        number = queue.put(event(b"\x00\xff"))
        assert len(queue) == 1
        assert queue.take(*F, 0, 10) == [replace(event(b"\x00\xff"), id=number)]


def test_an_event_is_handed_out_once_until_it_is_put_back(tmp_path: Path) -> None:
    with closing(EventQueue(tmp_path)) as queue:
        queue.put(event())
        (taken,) = queue.take(*F, 0, 10)
        assert queue.take(*F, 0, 10) == []
        assert queue.due() == {}
        queue.put_back(replace(taken, attempts=5), 60)
        assert queue.due() == {F: 60}
        assert queue.take(*F, 59, 10) == []
        (again,) = queue.take(*F, 60, 10)
        assert again == replace(taken, attempts=5)


def test_the_longest_due_come_first_and_no_more_than_wanted(tmp_path: Path) -> None:
    with closing(EventQueue(tmp_path)) as queue:
        for at in (3, 1, 2):
            queue.put(event(str(at).encode(), at=at))
        assert queue.take(*F, 9, 0) == []
        assert [each.invocation.payload for each in queue.take(*F, 9, 2)] == [b"1", b"2"]
        assert [each.invocation.payload for each in queue.take(*F, 9, 2)] == [b"3"]


def test_an_event_may_be_due_later_than_it_was_accepted(tmp_path: Path) -> None:
    with closing(EventQueue(tmp_path)) as queue:
        queue.put(event(), due=7)
        assert queue.due() == {F: 7}
        queue.put(event(function="g"))
        assert queue.due() == {F: 7, ("g", "1"): 0}


def test_what_was_under_way_is_due_again_in_the_next_plane(tmp_path: Path) -> None:
    queue = EventQueue(tmp_path)
    queue.put(event(b"1"))
    queue.put(event(b"2"))
    first, _ = queue.take(*F, 0, 10)
    queue.finish(first)
    queue.close()  # a killed process does no more than that
    with closing(EventQueue(tmp_path)) as queue:
        assert [each.invocation.payload for each in queue.take(*F, 0, 10)] == [b"2"]


def test_an_end_keeps_what_comes_of_it_in_the_same_moment(tmp_path: Path) -> None:
    with closing(EventQueue(tmp_path)) as queue:
        queue.put(event())
        (taken,) = queue.take(*F, 0, 10)
        queue.finish(taken, follow_up=event(b"next", at=5), letter=letter())
        assert [each.invocation.payload for each in queue.take(*F, 5, 10)] == [b"next"]
        assert queue.dead_letters() == [letter()]


def test_an_end_that_fails_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(EventQueue(tmp_path)) as queue:
        queue.put(event())
        (taken,) = queue.take(*F, 0, 10)
        with pytest.raises(TypeError):
            queue.finish(taken, follow_up=event(), letter=replace_with_rubbish())
        assert len(queue) == 1
        assert queue.dead_letters() == []


def replace_with_rubbish() -> DeadLetter:
    return DeadLetter(time="", request_id="", function_arn="", condition="", attempts=0, request_payload=object())


def test_dead_letters_are_the_latest_first_by_function_and_limited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_module, "MAX_DEAD_LETTERS", 3)
    with closing(EventQueue(tmp_path)) as queue:
        for number in range(5):
            function = "f" if number % 2 else "g"
            queue.put(event(function=function))
            (taken,) = queue.take(function, "1", 0, 10)
            queue.finish(taken, letter=letter(number))
        assert [each.request_id for each in queue.dead_letters()] == ["id-4", "id-3", "id-2"]
        assert [each.request_id for each in queue.dead_letters("f")] == ["id-3"]
        assert [each.request_id for each in queue.dead_letters(limit=1)] == ["id-4"]


def test_another_file_in_its_place_is_an_error_that_says_so(tmp_path: Path) -> None:
    (tmp_path / "queue.db").write_bytes(b"this is not a database, but long enough to be looked at as one" * 20)
    with pytest.raises(ConfigurationError, match=r"queue\.db is not a queue"):
        EventQueue(tmp_path)
