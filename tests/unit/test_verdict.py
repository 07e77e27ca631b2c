"""What is left to do when a handler has ended, by the state of its response and by how it ended."""

from __future__ import annotations

from collections.abc import Awaitable

import pytest

from polylambda.errors import ConnectionLost
from polylambda.response import DONE, ResponseStream
from polylambda.runtime import verdict as verdicts
from polylambda.runtime.verdict import unanswered, verdict


class Sink:
    def answer(self, body: bytes, content_type: str) -> Awaitable[None]:
        return DONE

    def start(self, content_type: str) -> None:
        pass

    def send(self, data: bytes) -> Awaitable[None]:
        return DONE

    def end(self, report: object) -> Awaitable[None]:
        return DONE


def response(*steps: str) -> ResponseStream:
    made = ResponseStream(Sink())
    for step in steps:
        if step == "give":
            made.give(b"1", "application/json")
        elif step == "write":
            made.write(b"1")
        else:
            getattr(made, step)()
    return made


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        (["give"], verdicts.ANSWER),
        (["finish"], verdicts.NOTHING),
        (["write", "finish"], verdicts.NOTHING),
        (["write"], verdicts.FINISH),  # E11
        (["start_http"], verdicts.FINISH),
        ([], verdicts.ERROR),  # E10
    ],
)
def test_a_handler_that_ended_well(steps, expected):
    assert verdict(response(*steps), None) == expected


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([], verdicts.ERROR),  # E12
        (["start_http"], verdicts.ERROR),
        (["give"], verdicts.ERROR),  # middleware failed after it
        (["write"], verdicts.ABORT),  # E13
        (["finish"], verdicts.LATE),  # E14
        (["write", "finish"], verdicts.LATE),
    ],
)
@pytest.mark.parametrize("failure", [ValueError(), SystemExit(), KeyboardInterrupt()])
def test_a_handler_that_failed(steps, expected, failure):
    assert verdict(response(*steps), failure) == expected


@pytest.mark.parametrize(
    ("steps", "expected"),
    [([], verdicts.ERROR), (["start_http"], verdicts.ERROR), (["write"], verdicts.LOST), (["finish"], verdicts.LOST)],
)
def test_a_handler_that_failed_because_the_platform_did(steps, expected):
    assert verdict(response(*steps), ConnectionLost("gone")) == expected


def test_a_handler_that_answered_nothing_is_named():
    assert str(unanswered("app.handler")) == "handler app.handler ended without writing a response"
    assert unanswered("app.handler").code == "unanswered"
