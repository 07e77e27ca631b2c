"""Who gets which invocation, and what becomes of those that nobody answers."""

from __future__ import annotations

import asyncio

import pytest

from polylambda.server import broker as broker_module
from polylambda.server.broker import Broker, Invocation, Outcome
from polylambda.server.errors import BrokerClosed, InvalidInvocation, QueueFull, Refusal
from tests.unit import virtual_loop
from tests.unit.fake_runtime import Poll, Sender, answer, begin, error_of, invoke, polls, refused, settled

# Handing out


def test_an_answer_goes_to_its_caller() -> None:
    async def main() -> None:
        broker = Broker()
        (poll,) = polls(broker, 1)
        call = await invoke(broker, "a")
        assert poll.request_id == "a"
        answer(broker, "a", b"hello")
        response = await call
        assert await response.read() == b"hello"
        assert (response.outcome, response.error_type, response.streamed) == (Outcome.SUCCESS, None, False)
        assert response.content_type == "text/plain"

    virtual_loop.run(main())


def test_ten_parallel_callers_get_their_own_answers_in_the_order_of_the_queue() -> None:  # E46
    async def main() -> None:
        broker = Broker()
        calls = [await invoke(broker, f"id-{number}") for number in range(10)]
        for number in range(10):
            (poll,) = polls(broker, 1)
            assert poll.request_id == f"id-{number}"
            answer(broker, poll.request_id, str(number).encode())
        responses = await asyncio.gather(*calls)
        assert [await response.read() for response in responses] == [str(number).encode() for number in range(10)]
        assert {response.outcome for response in responses} == {Outcome.SUCCESS}

    virtual_loop.run(main())


def test_two_waiting_polls_are_both_served_first_come_first_served() -> None:  # E54
    async def main() -> None:
        broker = Broker()
        first, second = polls(broker, 2)
        calls = [await invoke(broker, "a"), await invoke(broker, "b")]
        assert (first.request_id, second.request_id) == ("a", "b")
        answer(broker, "b")
        answer(broker, "a")
        await asyncio.gather(*calls)

    virtual_loop.run(main())


def test_at_most_max_concurrency_invocations_are_held_whatever_is_polled() -> None:
    async def main() -> None:
        broker = Broker(max_concurrency=2)
        rows = polls(broker, 5)
        calls = [await invoke(broker, name) for name in "abc"]
        assert [poll.attempt is not None for poll in rows] == [True, True, False, False, False]
        answer(broker, "a")
        assert rows[2].request_id == "c"
        answer(broker, "b")
        answer(broker, "c")
        await asyncio.gather(*calls)

    virtual_loop.run(main())


def test_a_full_queue_refuses_and_the_waiting_are_not_hurt() -> None:
    async def main() -> None:
        broker = Broker(queue_limit=1)
        waiting = await invoke(broker, "a")
        with pytest.raises(QueueFull):
            await broker.invoke(Invocation(payload=b"{}"))
        (poll,) = polls(broker, 1)
        answer(broker, poll.request_id)
        assert (await waiting).outcome is Outcome.SUCCESS

    virtual_loop.run(main())


def test_a_dead_poll_gets_nothing() -> None:
    async def main() -> None:
        broker = Broker()
        dead, alive = polls(broker, 2)
        broker.drop_poll(dead)
        call = await invoke(broker, "a")
        assert dead.attempt is None
        assert alive.request_id == "a"
        answer(broker, "a")
        await call

    virtual_loop.run(main())


def test_what_a_dead_connection_never_received_goes_to_the_next_poll_before_all_others() -> None:
    async def main() -> None:
        broker = Broker()
        (dead,) = polls(broker, 1)
        calls = [await invoke(broker, "a"), await invoke(broker, "b")]
        assert dead.attempt is not None
        broker.give_back(dead.attempt)
        first, second = polls(broker, 2)
        assert (first.request_id, second.request_id) == ("a", "b")
        answer(broker, "a")
        answer(broker, "b")
        assert [(await call).outcome for call in calls] == [Outcome.SUCCESS] * 2

    virtual_loop.run(main())


def test_what_was_given_back_after_its_caller_left_is_forgotten() -> None:
    async def main() -> None:
        broker = Broker()
        (dead,) = polls(broker, 1)
        call = await invoke(broker, "a")
        call.cancel()
        await asyncio.wait([call])
        assert dead.attempt is not None
        broker.give_back(dead.attempt)
        (poll,) = polls(broker, 1)
        assert poll.attempt is None

    virtual_loop.run(main())


def test_too_many_polls_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker_module, "MAX_POLLS", 3)

    async def main() -> None:
        broker = Broker()
        polls(broker, 3)
        with pytest.raises(Refusal) as refusal:
            broker.poll(Poll())
        assert refused(refusal) == (500, "InternalServerError")

    virtual_loop.run(main())


# Callers that leave


def test_a_caller_that_leaves_takes_its_waiting_invocation_along() -> None:  # E53, E55
    async def main() -> None:
        broker = Broker()
        calls = [await invoke(broker, str(number)) for number in range(1, 6)]
        calls[2].cancel()
        await asyncio.wait([calls[2]])
        assert calls[2].cancelled()
        served = [poll.request_id for poll in polls(broker, 6) if poll.attempt is not None]
        assert served == ["1", "2", "4", "5"]
        for request_id in served:
            answer(broker, request_id)
        assert [(await call).outcome for call in calls if call is not calls[2]] == [Outcome.SUCCESS] * 4

    virtual_loop.run(main())


def test_the_answer_for_a_caller_that_left_is_taken_and_thrown_away() -> None:
    async def main() -> None:
        broker = Broker(max_concurrency=1)
        first, second = polls(broker, 2)
        call = await invoke(broker, "a")
        call.cancel()
        await asyncio.wait([call])
        following = await invoke(broker, "b")
        assert (first.request_id, second.attempt) == ("a", None)  # it still occupies the runtime
        answer(broker, "a")
        assert second.request_id == "b"
        answer(broker, "b")
        assert (await following).outcome is Outcome.SUCCESS

    virtual_loop.run(main())


# Timeouts


def test_a_timeout_is_an_error_of_the_invocation() -> None:
    async def main() -> None:
        broker = Broker()
        polls(broker, 1)
        response = await broker.invoke(Invocation(payload=b"{}", timeout=3.0))
        assert asyncio.get_running_loop().time() == 3.0
        assert (response.outcome, response.error_type) == (Outcome.TIMEOUT, "Sandbox.Timedout")
        assert error_of(await response.read()) == ("Sandbox.Timedout", "Task timed out after 3.00 seconds")

    virtual_loop.run(main())


def test_waiting_for_the_runtime_does_not_count() -> None:
    async def main() -> None:
        broker = Broker()
        call = await invoke(broker, "a", 1.0)
        await asyncio.sleep(100)
        assert not call.done()
        polls(broker, 1)
        await asyncio.sleep(0.5)
        answer(broker, "a")
        assert (await call).outcome is Outcome.SUCCESS

    virtual_loop.run(main())


def test_each_invocation_has_its_own_deadline() -> None:
    async def main() -> None:
        broker = Broker()
        polls(broker, 4)
        loop = asyncio.get_running_loop()
        ended: dict[str, float] = {}
        calls = [await invoke(broker, name, timeout) for name, timeout in (("a", 5), ("b", 2), ("c", 9), ("d", 2))]
        for name, call in zip("abcd", calls, strict=True):
            call.add_done_callback(lambda _, name=name: ended.__setitem__(name, loop.time()))
        loop.call_later(4, answer, broker, "a")
        outcomes = [(await call).outcome for call in calls]
        assert outcomes == [Outcome.SUCCESS, Outcome.TIMEOUT, Outcome.TIMEOUT, Outcome.TIMEOUT]
        assert ended == {"a": 4, "b": 2, "c": 9, "d": 2}

    virtual_loop.run(main())


def test_a_late_answer_is_410_once_then_400() -> None:
    async def main() -> None:
        broker = Broker()
        polls(broker, 2)
        await (await invoke(broker, "a", 1.0))
        with pytest.raises(Refusal) as refusal:
            begin(broker, "a")
        assert refused(refusal) == (410, "InvokeTimeout")
        with pytest.raises(Refusal) as refusal:
            broker.error("a", "", "Function.Error", b"{}")
        assert refused(refusal) == (400, "InvalidRequestID")
        call = await invoke(broker, "b")
        answer(broker, "b")
        assert (await call).outcome is Outcome.SUCCESS

    virtual_loop.run(main())


def test_a_timeout_makes_room_for_the_next() -> None:
    async def main() -> None:
        broker = Broker(max_concurrency=1)
        _, second = polls(broker, 2)
        calls = [await invoke(broker, "a", 1.0), await invoke(broker, "b", 1.0)]
        assert (await calls[0]).outcome is Outcome.TIMEOUT
        assert second.request_id == "b"
        answer(broker, "b")
        assert (await calls[1]).outcome is Outcome.SUCCESS

    virtual_loop.run(main())


# The environment


def test_when_the_runtime_dies_what_it_held_fails_and_what_waits_waits() -> None:
    async def main() -> None:
        broker = Broker()
        polls(broker, 2)
        sender = Sender()
        calls = [await invoke(broker, name) for name in "abc"]
        begin(broker, "b", "streaming", sender).write(b"some")
        broker.fail_running("Runtime.ExitError", "Runtime exited with error: exit status 1")
        first, second = await calls[0], await calls[1]
        message = "RequestId: a Error: Runtime exited with error: exit status 1"
        assert error_of(await first.read()) == ("Runtime.ExitError", message)
        assert (first.outcome, first.error_type) == (Outcome.FAILURE, "Runtime.ExitError")
        assert await second.read() == b"some"
        assert (second.outcome, second.error_type) == (Outcome.FAILURE, "Runtime.ExitError")
        assert not calls[2].done()
        (poll,) = polls(broker, 1)
        answer(broker, poll.request_id)
        assert (await calls[2]).outcome is Outcome.SUCCESS

    virtual_loop.run(main())


def test_an_init_error_fails_what_waits_and_what_comes_until_another_runtime_starts() -> None:
    async def main() -> None:
        broker = Broker(queue_limit=1)
        waiting = await invoke(broker, "a")
        broker.fail_init("Runtime.ImportModuleError", b'{"errorMessage": "no module"}')
        for response in (await waiting, await broker.invoke(Invocation(payload=b"{}"))):
            assert (response.outcome, response.error_type) == (Outcome.FAILURE, "Runtime.ImportModuleError")
            assert await response.read() == b'{"errorMessage": "no module"}'
        broker.revive()
        call = await invoke(broker, "b")
        polls(broker, 1)
        answer(broker, "b")
        assert (await call).outcome is Outcome.SUCCESS

    virtual_loop.run(main())


def test_a_paused_broker_hands_nothing_out_and_tells_when_all_is_done() -> None:
    async def main() -> None:
        broker = Broker()
        rows = polls(broker, 2)
        running = await invoke(broker, "a")
        broker.pause()
        waiting = await invoke(broker, "b")
        idle = asyncio.create_task(broker.idle())
        await settled()
        assert rows[1].attempt is None
        assert not idle.done()
        answer(broker, "a")
        await idle
        await running
        broker.resume()
        assert rows[1].request_id == "b"
        answer(broker, "b")
        await waiting

    virtual_loop.run(main())


def test_closing_refuses_what_waits_and_fails_what_runs() -> None:
    async def main() -> None:
        broker = Broker()
        polls(broker, 1)
        running, waiting = await invoke(broker, "a"), await invoke(broker, "b")
        broker.close()
        assert ((await running).outcome, (await running).error_type) == (Outcome.FAILURE, "Sandbox.Failure")
        with pytest.raises(BrokerClosed, match="b"):
            await waiting
        with pytest.raises(BrokerClosed):
            await broker.invoke(Invocation(payload=b"{}"))
        with pytest.raises(Refusal) as refusal:
            broker.poll(Poll())
        assert refused(refusal) == (500, "InternalServerError")

    virtual_loop.run(main())


@pytest.mark.parametrize("field", ["request_id", "content_type", "invoked_function_arn", "trace_id", "tenant_id"])
@pytest.mark.parametrize("text", ["a\r\nEvil: 1", "a\nb", "a\0b"])
def test_metadata_cannot_smuggle_headers(field: str, text: str) -> None:
    async def main() -> None:
        with pytest.raises(InvalidInvocation, match="control characters"):
            await Broker().invoke(Invocation(payload=b"{}", **{field: text}))

    virtual_loop.run(main())


@pytest.mark.parametrize("field", ["request_id", "tenant_id", "client_context", "identity"])
def test_metadata_is_unicode(field: str) -> None:
    async def main() -> None:
        with pytest.raises(InvalidInvocation, match="half characters"):
            await Broker().invoke(Invocation(payload=b"{}", **{field: "\ud800"}))

    virtual_loop.run(main())


def test_unusual_metadata_is_taken() -> None:
    async def main() -> None:
        broker = Broker()
        (poll,) = polls(broker, 1)
        invocation = Invocation(
            payload=b"{}", request_id="\xa0\u200b", client_context='{\n"a":\t"\u00fc"}', timeout=900
        )
        call = asyncio.create_task(broker.invoke(invocation))
        await settled()
        assert poll.request_id == "\xa0\u200b"
        answer(broker, poll.request_id)
        assert (await call).outcome is Outcome.SUCCESS

    virtual_loop.run(main())


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf")])
def test_an_invocation_needs_a_timeout(seconds: float) -> None:
    async def main() -> None:
        with pytest.raises(InvalidInvocation, match="a timeout is more than 0"):
            await Broker().invoke(Invocation(payload=b"{}", timeout=seconds))

    virtual_loop.run(main())


def test_an_invocation_needs_an_id() -> None:
    async def main() -> None:
        with pytest.raises(InvalidInvocation, match="request id"):
            await Broker().invoke(Invocation(payload=b"{}", request_id=""))

    virtual_loop.run(main())
