from __future__ import annotations

import re

import pytest

from polylambda.server.errors import DuplicateRequestId, IllegalStep, QueueFull, Refusal
from polylambda.server.invocation import Invocation, State
from polylambda.server.ledger import LATE_ANSWERS, Entry, Ledger
from polylambda.server.response import Response


def entry(request_id: str = "", timeout: float = 3.0, trace_id: str = "") -> Entry:
    named = {"request_id": request_id} if request_id else {}
    invocation = Invocation(payload=b"{}", timeout=timeout, trace_id=trace_id, **named)
    return Entry(invocation, Response(invocation.request_id))


def ledger(queue_limit: int = 10, max_concurrency: int | None = None) -> Ledger:
    return Ledger(queue_limit=queue_limit, max_concurrency=max_concurrency)


def refused(book: Ledger, request_id: str, invocation_id: str = "") -> tuple[int, str]:
    with pytest.raises(Refusal) as caught:
        book.find(request_id, invocation_id)
    return caught.value.status, caught.value.error_type


def test_takes_in_order_of_arrival() -> None:
    book = ledger()
    for name in "abc":
        book.add(entry(name), idle_polls=0)
    assert [book.take(0, 0).invocation.request_id for _ in "abc"] == ["a", "b", "c"]
    assert not book.can_take()


def test_the_clock_of_an_invocation_starts_when_it_is_delivered() -> None:
    book = ledger()
    book.add(entry("a", timeout=2.5), idle_polls=0)
    attempt = book.take(now=100.0, wall=1_000.5)
    assert attempt.deadline == 102.5
    assert attempt.deadline_ms == 1_003_000


def test_the_queue_is_bounded() -> None:
    book = ledger(queue_limit=2)
    book.add(entry(), idle_polls=0)
    book.add(entry(), idle_polls=0)
    with pytest.raises(QueueFull, match="2 invocations wait for the runtime, the limit is 2"):
        book.add(entry(), idle_polls=0)


def test_without_a_queue_an_invocation_needs_a_poll_that_may_have_it() -> None:
    book = ledger(queue_limit=0, max_concurrency=1)
    with pytest.raises(QueueFull):
        book.add(entry(), idle_polls=0)
    book.add(entry(), idle_polls=1)
    book.take(0, 0)
    with pytest.raises(QueueFull):
        book.add(entry(), idle_polls=1)


def test_an_id_runs_once_at_a_time() -> None:
    book = ledger()
    first = entry("a")
    book.add(first, idle_polls=0)
    with pytest.raises(DuplicateRequestId, match="request id a is under way"):
        book.add(entry("a"), idle_polls=0)
    book.take(0, 0)
    with pytest.raises(DuplicateRequestId):
        book.add(entry("a"), idle_polls=0)
    book.end(first, State.ERRORED)
    book.add(entry("a"), idle_polls=0)


def test_at_most_max_concurrency_are_held() -> None:
    book = ledger(max_concurrency=2)
    entries = [entry() for _ in range(3)]
    for each in entries:
        book.add(each, idle_polls=0)
    book.take(0, 0)
    book.take(0, 0)
    assert not book.can_take()
    book.end(entries[0], State.ERRORED)
    assert book.can_take()


def test_attempts_have_names_of_their_own() -> None:
    book = ledger()
    book.add(entry("a"), idle_polls=0)
    first = book.take(0, 0)
    assert book.put_back(first) is not None
    second = book.take(0, 0)
    assert first.invocation_id != second.invocation_id
    assert refused(book, "a", first.invocation_id) == (400, "InvalidInvocationId")
    assert book.find("a", second.invocation_id) is book.find("a", "")


def test_what_never_arrived_goes_to_the_front_again_with_its_time_to_run_anew() -> None:
    book = ledger()
    for name in "ab":
        book.add(entry(name, timeout=3.0), idle_polls=0)
    attempt = book.take(0, 0)
    returned = book.put_back(attempt)
    assert returned is not None
    assert returned.state is State.QUEUED
    assert book.next_deadline() is None
    assert [each.invocation.request_id for each in book.waiting] == ["a", "b"]
    assert book.take(50.0, 0).deadline == 53.0


def test_only_what_is_still_at_the_delivery_can_be_put_back() -> None:
    book = ledger()
    a = entry("a")
    book.add(a, idle_polls=0)
    attempt = book.take(0, 0)
    a.step(State.ANSWERING)
    assert book.put_back(attempt) is None
    book.end(a, State.SUCCEEDED)
    assert book.put_back(attempt) is None
    book.add(entry("a"), idle_polls=0)
    again = book.take(0, 0)
    assert book.put_back(attempt) is None  # an invocation of the same id, but another delivery
    assert book.put_back(again) is not None


def test_unknown_answered_and_waiting_ids_are_refused() -> None:
    book = ledger()
    a = entry("a")
    book.add(a, idle_polls=0)
    assert refused(book, "a") == (400, "InvalidRequestID")
    book.take(0, 0)
    book.end(a, State.ERRORED)
    assert refused(book, "a") == (400, "InvalidRequestID")
    assert refused(book, "nonsense") == (400, "InvalidRequestID")


def test_a_late_answer_is_told_so_once() -> None:
    book = ledger()
    a = entry("a", timeout=1.0)
    book.add(a, idle_polls=0)
    book.take(0, 0)
    assert book.due(0.999) == []
    assert book.due(1.0) == [a]
    book.end(a, State.TIMED_OUT)
    assert refused(book, "a") == (410, "InvokeTimeout")
    assert refused(book, "a") == (400, "InvalidRequestID")


def test_the_latest_thousand_timeouts_are_remembered() -> None:
    book = ledger()
    for number in range(LATE_ANSWERS + 1):
        each = entry(f"id-{number}")
        book.add(each, idle_polls=0)
        book.take(0, 0)
        book.end(each, State.TIMED_OUT)
    assert refused(book, "id-0") == (400, "InvalidRequestID")
    assert refused(book, "id-1") == (410, "InvokeTimeout")


def test_the_next_deadline_is_the_earliest() -> None:
    book = ledger()
    for timeout in (9.0, 2.0, 5.0):
        book.add(entry(timeout=timeout), idle_polls=0)
        book.take(0, 0)
    assert book.next_deadline() == 2.0


def test_a_step_that_does_not_exist_is_an_error_of_ours() -> None:
    book = ledger()
    a = entry("a")
    book.add(a, idle_polls=0)
    with pytest.raises(IllegalStep):
        book.end(a, State.SUCCEEDED)


def test_trace_ids_are_made_up_and_kept() -> None:
    book = ledger(queue_limit=2000)
    seen: set[str] = set()
    for _ in range(1000):
        book.add(entry(), idle_polls=0)
        trace_id = book.take(0, 0x6543210F).trace_id
        assert re.fullmatch(r"Root=1-6543210f-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=0", trace_id)
        seen.add(trace_id)
    assert len(seen) == 1000
    book.add(entry(trace_id="Root=1-x;Sampled=1"), idle_polls=0)
    assert book.take(0, 0).trace_id == "Root=1-x;Sampled=1"
