"""When the client tries again, when it gives up, and how loud it is about it."""

from __future__ import annotations

import logging

import pytest

from polylambda.errors import ConnectionLost, Refused
from polylambda.rapi.address import Address
from polylambda.rapi.events import ANSWER, POLL, Invocation, Reply
from polylambda.rapi.policy import Backoff, log_loss, log_refusal, poll_refused

LOST = ConnectionLost("it broke")


def delays(backoff: Backoff, *, at: float = 1000.0) -> list[float]:
    """The delays until it gives up."""
    found: list[float] = []
    with pytest.raises(ConnectionLost) as caught:
        fail(backoff, at, found)
    assert caught.value is LOST
    return found


def fail(backoff: Backoff, at: float, found: list[float]) -> None:
    for _ in range(20):
        found.append(backoff.after(LOST, at))
        at += found[-1]


class TestBackoff:
    def test_five_tries_within_a_second(self):
        found = delays(Backoff())
        assert found == [0.0, 0.1, 0.2, 0.4]
        assert sum(found) < 1.0

    def test_something_that_worked_begins_the_count_anew(self):
        backoff = Backoff()
        first = delays(backoff)
        backoff.reset()
        assert delays(backoff) == first

    def test_so_does_a_while_without_failure(self):
        backoff = Backoff()
        for hour in range(100):
            assert backoff.after(LOST, hour * 3600.0) == 0.0

    def test_a_failure_now_and_then_does_not(self):
        backoff = Backoff()
        for second in range(4):
            backoff.after(LOST, 1000.0 + second)
        with pytest.raises(ConnectionLost):
            backoff.after(LOST, 1004.0)

    def test_a_clock_that_has_just_begun(self):
        assert delays(Backoff(), at=0.0) == delays(Backoff())


@pytest.mark.parametrize(
    ("status", "resent", "level"),
    [
        (400, False, logging.ERROR),
        (403, False, logging.ERROR),
        (413, False, logging.ERROR),
        (500, False, logging.ERROR),
        (410, False, logging.DEBUG),
        (410, True, logging.DEBUG),
        (400, True, logging.DEBUG),
        (413, True, logging.ERROR),
        (500, True, logging.ERROR),
    ],
)
def test_how_loud_a_refusal_is(status: int, resent: bool, level: int, caplog: pytest.LogCaptureFixture):
    """A late answer is no news, nor is the refusal of a copy."""
    caplog.set_level(logging.DEBUG, "polylambda")
    reply = Reply(ANSWER, status, {}, b'{"errorType":"Because","errorMessage":"it is so"}')
    log_refusal(Invocation(b"", {"lambda-runtime-aws-request-id": "id-1"}), reply, resent=resent)
    message = f"the answer to id-1 was refused: {status} Because: it is so"
    assert caplog.record_tuples == [("polylambda", level, message)]


def test_a_loss(caplog: pytest.LogCaptureFixture):
    log_loss(Invocation(b"", {"lambda-runtime-aws-request-id": "id-1"}), LOST)
    assert caplog.record_tuples == [("polylambda", logging.ERROR, "the answer to id-1 was lost: it broke")]


def test_a_refused_poll_says_who_refused_it():
    refusal = poll_refused(Reply(POLL, 500, {}, b'{"errorType":"T","errorMessage":"m"}'), Address("127.0.0.1:9001"))
    assert isinstance(refusal, Refused)
    assert (refusal.status, refusal.error_type) == (500, "T")
    assert str(refusal) == (
        "500 T: the Runtime API at 127.0.0.1:9001 (AWS_LAMBDA_RUNTIME_API) refused to hand out an event: m"
    )
