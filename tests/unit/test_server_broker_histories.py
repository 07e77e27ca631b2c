"""Arbitrary histories of a broker: whatever callers, polls and answers do, every invocation comes to exactly one end."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hypothesis import example, given
from hypothesis import strategies as st

from polylambda.server.broker import Broker, Invocation, Outcome, Response
from polylambda.server.errors import QueueFull, Refusal
from tests.unit import virtual_loop
from tests.unit.fake_runtime import Poll, Sender, begin

if TYPE_CHECKING:
    from polylambda.server.answer import Answer

NUMBERS = st.integers(0, 5)
STEPS = st.one_of(
    st.tuples(st.just("invoke"), st.integers(1, 4)),
    st.tuples(st.sampled_from(["poll", "pause", "resume", "die", "fail_init", "revive"]), st.just(0)),
    st.tuples(st.sampled_from(["poll", "leave", "read", "drop_poll", "give_back", "wait"]), NUMBERS),
    st.tuples(st.sampled_from(["buffer", "stream", "nonsense", "error"]), NUMBERS),
    st.tuples(st.sampled_from(["write", "finish", "fail", "truncate"]), NUMBERS),
)


@dataclass
class History:
    """What has happened so far. Steps that are impossible at the moment are skipped, refusals are taken as they are."""

    broker: Broker
    calls: list[asyncio.Task[Response]] = field(default_factory=list)
    readers: list[asyncio.Task[bytes]] = field(default_factory=list)
    polls: list[Poll] = field(default_factory=list)
    answers: list[tuple[Answer, Sender]] = field(default_factory=list)
    refused: int = 0

    async def take(self, step: str, number: int) -> None:
        try:
            getattr(self, step)(number)
        except Refusal:
            self.refused += 1
        for _ in range(3):
            await asyncio.sleep(0)
        if step == "wait":
            await asyncio.sleep(number)

    def invoke(self, timeout: int) -> None:
        self.calls.append(asyncio.create_task(self.broker.invoke(Invocation(payload=b"{}", timeout=timeout))))

    def leave(self, number: int) -> None:
        if number < len(self.calls):
            self.calls[number].cancel()

    def read(self, number: int) -> None:
        ended = [call for call in self.calls if call.done() and not call.cancelled() and call.exception() is None]
        if number < len(ended):
            self.readers.append(asyncio.create_task(ended[number].result().read()))

    def poll(self, _: int) -> None:
        self.polls.append(poll := Poll())
        self.broker.poll(poll)

    def drop_poll(self, number: int) -> None:
        if number < len(self.polls):
            self.broker.drop_poll(self.polls[number])

    def give_back(self, number: int) -> None:
        if number < len(self.polls) and (attempt := self.polls[number].attempt) is not None:
            self.broker.give_back(attempt)

    def buffer(self, number: int) -> None:
        self._begin(number, None)

    def stream(self, number: int) -> None:
        self._begin(number, "streaming")

    def nonsense(self, number: int) -> None:
        self._begin(number, "nonsense")

    def _begin(self, number: int, mode: str | None) -> None:
        if number < len(self.polls) and (attempt := self.polls[number].attempt) is not None:
            sender = Sender()
            request_id = attempt.invocation.request_id
            self.answers.append((begin(self.broker, request_id, mode, sender, attempt.invocation_id), sender))

    def error(self, number: int) -> None:
        if number < len(self.polls) and (attempt := self.polls[number].attempt) is not None:
            self.broker.error(attempt.invocation.request_id, "", "Function.Error", b"{}")

    def write(self, number: int) -> None:
        if (answer := self._open(number)) is not None:
            answer.write(b"12345")

    def finish(self, number: int) -> None:
        if (answer := self._open(number)) is not None:
            answer.finish({})

    def fail(self, number: int) -> None:
        if (answer := self._open(number)) is not None:
            answer.finish({"lambda-runtime-function-error-type": "Function.Error"})

    def truncate(self, number: int) -> None:
        if (answer := self._open(number)) is not None:
            answer.truncate()

    def _open(self, number: int) -> Answer | None:
        """An answer that is neither complete nor refused: a connection has nothing to say to another."""
        open_answers = [answer for answer, _ in self.answers if not answer.over]
        return open_answers[number] if number < len(open_answers) else None

    def pause(self, _: int) -> None:
        self.broker.pause()

    def resume(self, _: int) -> None:
        self.broker.resume()

    def die(self, _: int) -> None:
        self.broker.fail_running("Runtime.ExitError", "it died")

    def fail_init(self, _: int) -> None:
        self.broker.fail_init("Runtime.InitError", b"{}")

    def revive(self, _: int) -> None:
        self.broker.revive()

    def wait(self, _: int) -> None:
        pass


@given(st.lists(STEPS, max_size=40), st.sampled_from([None, 1, 2]), st.sampled_from([0, 1, 1000]))
@example([("poll", 0), ("invoke", 1), ("give_back", 0), ("leave", 0), ("poll", 0)], 1, 1000)
@example([("poll", 0), ("invoke", 1), ("stream", 0), ("error", 0), ("wait", 5)], None, 1000)
def test_every_invocation_comes_to_one_end(
    steps: list[tuple[str, int]], max_concurrency: int | None, queue_limit: int
) -> None:
    async def main() -> None:
        broker = Broker(max_concurrency=max_concurrency, queue_limit=queue_limit, response_limit=20, stream_buffer=5)
        history = History(broker)
        for step, number in steps:
            await history.take(step, number)
            assert max_concurrency is None or broker._ledger.busy <= max_concurrency
            assert len(broker._ledger.waiting) <= queue_limit + len(history.polls)

        # Whatever still waits is served, and whatever runs times out.
        broker.resume()
        while broker._ledger.waiting or broker._ledger.busy:
            await history.take("poll", 0)
            await history.take("wait", 5)
        await history.take("wait", 0)

        assert all(call.done() for call in history.calls)
        for call in history.calls:
            if not call.cancelled():
                assert isinstance(call.exception(), QueueFull | None)
                if call.exception() is None:
                    assert call.result().outcome is not Outcome.PENDING
                    history.readers.append(asyncio.create_task(call.result().read()))
        await asyncio.gather(*history.readers)
        for answer, sender in history.answers:
            assert answer.over
            assert len(sender.refusals) <= 1
        attempts = [poll.attempt.invocation_id for poll in history.polls if poll.attempt is not None]
        assert len(set(attempts)) == len(attempts)

    virtual_loop.run(main())
