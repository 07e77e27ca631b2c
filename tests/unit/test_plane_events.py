"""When asynchronous events run, are tried again and are given up, on a virtual clock."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import pytest

from polylambda.plane.clock import Clock
from polylambda.plane.control import NotActive, Throttled, VersionStatus
from polylambda.plane.events import CONCURRENT_EVENTS, MAX_CHAIN, Dispatcher, EventPolicy, Gone, Result
from polylambda.plane.metrics import FunctionMetrics
from polylambda.plane.queue import Event, EventQueue
from polylambda.plane.router import Cause
from polylambda.plane.states import VersionState
from polylambda.server.invocation import Invocation
from tests.unit import virtual_loop

OK = Result(payload=b'{"fine": true}', failed=False, executed_version="1")
ERROR = Result(payload=b'{"errorType": "ValueError"}', failed=True, executed_version="1")
THROTTLED = Throttled(Cause.CONCURRENCY)

Answer = Result | Exception


class Functions:
    """Answers with what a test has prepared for a function, the last answer again and again."""

    def __init__(self, policy: EventPolicy | None = None, **answers: list[Answer]) -> None:
        self.answers = answers
        self.attempts: list[tuple[str, float]] = []
        self.events: list[Event] = []
        self.figures = FunctionMetrics(())
        self._policy = policy or EventPolicy()
        self.hold: asyncio.Event | None = None
        self.slots = 1000

    def room(self, function: str, version: str) -> int:
        return self.slots

    def policy(self, event: Event) -> EventPolicy:
        return self._policy if event.function == "f" or event.chain else EventPolicy()

    async def attempt(self, event: Event) -> Result:
        self.attempts.append((event.function, asyncio.get_running_loop().time()))
        self.events.append(event)
        if self.hold is not None:
            await self.hold.wait()
        answers = self.answers[event.function]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def destination(self, arn: str) -> tuple[str, str, str | None] | None:
        name = arn.rpartition(":")[2]
        return (name, "1", None) if name in self.answers else None

    def metrics(self, event: Event) -> FunctionMetrics:
        return self.figures


def dispatch(
    tmp_path: Path,
    functions: Functions,
    test: Callable[[Dispatcher, EventQueue], Awaitable[None]],
    *,
    scale: float = 1.0,
) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        with closing(EventQueue(tmp_path)) as queue:
            dispatcher = Dispatcher(queue, functions, Clock(scale, source=loop.time), wall=loop.time)
            task = asyncio.create_task(dispatcher.run())
            try:
                await test(dispatcher, queue)
            finally:
                task.cancel()
                await asyncio.wait([task])
                await dispatcher.finish(drain=0)

    virtual_loop.run(main())


def put(dispatcher: Dispatcher, function: str = "f") -> None:
    invocation = Invocation(payload=b'{"n": 1}', request_id="id-1", invoked_function_arn=f"arn:{function}")
    dispatcher.put(function, "1", None, invocation)


async def empty(queue: EventQueue, *, within: float = 100_000.0) -> None:
    end = asyncio.get_running_loop().time() + within
    while len(queue):
        assert asyncio.get_running_loop().time() < end, "the queue does not empty"
        await asyncio.sleep(0.25)


def test_what_succeeds_runs_once(tmp_path: Path) -> None:
    functions = Functions(f=[OK])

    async def test(dispatcher: Dispatcher, queue: EventQueue) -> None:
        put(dispatcher)
        await empty(queue)
        assert functions.attempts == [("f", 0)]
        assert queue.dead_letters() == []
        assert functions.figures.total("AsyncEventsReceived") == 1
        assert functions.figures.total("AsyncEventsDropped") == 0

    dispatch(tmp_path, functions, test)


@pytest.mark.parametrize("scale", [1, 60])
def test_what_fails_runs_again_after_one_minute_and_after_two_more(tmp_path: Path, scale: float) -> None:
    functions = Functions(f=[ERROR])

    async def test(dispatcher: Dispatcher, queue: EventQueue) -> None:
        put(dispatcher)
        await empty(queue)
        assert [at * scale for _, at in functions.attempts] == pytest.approx([0, 60, 180])
        (letter,) = queue.dead_letters("f")
        assert (letter.condition, letter.attempts, letter.request_id) == ("RetriesExhausted", 3, "id-1")
        assert letter.request_payload == {"n": 1}
        assert letter.response_payload == {"errorType": "ValueError"}
        assert functions.figures.total("AsyncEventsDropped") == 1

    dispatch(tmp_path, functions, test, scale=scale)


@pytest.mark.parametrize("retries", [0, 1, 2])
def test_as_many_retries_as_the_config_says(tmp_path: Path, retries: int) -> None:
    functions = Functions(EventPolicy(retries=retries), f=[ERROR])

    async def test(dispatcher: Dispatcher, queue: EventQueue) -> None:
        put(dispatcher)
        await empty(queue)
        assert len(functions.attempts) == retries + 1

    dispatch(tmp_path, functions, test)


def test_a_retry_that_succeeds_ends_it(tmp_path: Path) -> None:
    functions = Functions(f=[ERROR, OK])

    async def test(dispatcher: Dispatcher, queue: EventQueue) -> None:
        put(dispatcher)
        await empty(queue)
        assert len(functions.attempts) == 2
        assert queue.dead_letters() == []

    dispatch(tmp_path, functions, test)


def test_throttles_back_off_from_one_second_to_five_minutes_and_are_no_attempts(tmp_path: Path) -> None:
    functions = Functions(f=[*[THROTTLED] * 11, ERROR, ERROR, OK])

    async def test(dispatcher: Dispatcher, queue: EventQueue) -> None:
        put(dispatcher)
        await empty(queue)
        times = [at for _, at in functions.attempts]
        waits = [later - earlier for earlier, later in itertools.pairwise(times)]
        assert waits == pytest.approx([1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 60, 120])
        assert queue.dead_letters() == []

    dispatch(tmp_path, functions, test)


def test_a_version_that_is_not_active_is_waited_for(tmp_path: Path) -> None:
    functions = Functions(f=[NotActive(VersionStatus(VersionState.PENDING)), OK])

    async def test(dispatcher: Dispatcher, queue: EventQueue) -> None:
        put(dispatcher)
        await empty(queue)
        assert len(functions.attempts) == 2

    dispatch(tmp_path, functions, test)


def test_what_is_too_old_is_given_up_on_time(tmp_path: Path) -> None:
    functions = Functions(EventPolicy(max_age=100), f=[THROTTLED])

    async def test(dispatcher: Dispatcher, queue: EventQueue) -> None:
        put(dispatcher)
        await empty(queue)
        assert asyncio.get_running_loop().time() == pytest.approx(100, abs=1)
        (letter,) = queue.dead_letters()
        assert (letter.condition, letter.attempts) == ("EventAgeExceeded", 0)

    dispatch(tmp_path, functions, test)


def test_a_deleted_function_gets_no_more_events(tmp_path: Path) -> None:
    functions = Functions(f=[Gone("f:1 was deleted")])

    async def test(dispatcher: Dispatcher, queue: EventQueue) -> None:
        put(dispatcher)
        await empty(queue)
        assert [letter.condition for letter in queue.dead_letters()] == ["FunctionDeleted"]

    dispatch(tmp_path, functions, test)


def test_a_destination_is_told_of_success(tmp_path: Path) -> None:
    functions = Functions(EventPolicy(on_success="arn:aws:lambda:r:a:function:told"), f=[OK], told=[OK])

    async def test(dispatcher: Dispatcher, queue: EventQueue) -> None:
        put(dispatcher)
        await empty(queue)
        assert [function for function, _ in functions.attempts][:2] == ["f", "told"]
        record = functions.events[1]
        assert record.invocation.invoked_function_arn == "arn:aws:lambda:r:a:function:told"
        assert record.invocation.payload.decode() == (
            '{"version": "1.0", "timestamp": "1970-01-01T00:00:00.000Z", "requestContext": {"requestId": "id-1", '
            '"functionArn": "arn:f", "condition": "Success", "approximateInvokeCount": 1}, "requestPayload": {"n": 1}, '
            '"responseContext": {"statusCode": 200, "executedVersion": "1"}, "responsePayload": {"fine": true}}'
        )

    dispatch(tmp_path, functions, test)


def test_a_destination_is_told_of_failure(tmp_path: Path) -> None:
    policy = EventPolicy(retries=0, on_failure="arn:aws:lambda:r:a:function:told")
    functions = Functions(policy, f=[ERROR], told=[OK])

    async def test(dispatcher: Dispatcher, queue: EventQueue) -> None:
        put(dispatcher)
        await empty(queue)
        payload = functions.events[1].invocation.payload
        assert b'"condition": "RetriesExhausted"' in payload
        assert b'"functionError": "Unhandled"' in payload
        assert queue.dead_letters() == []  # somebody knows of it

    dispatch(tmp_path, functions, test)


def test_a_destination_that_is_not_there_is_counted_and_recorded(tmp_path: Path) -> None:
    functions = Functions(EventPolicy(on_success="arn:aws:sqs:r:a:line"), f=[OK])

    async def test(dispatcher: Dispatcher, queue: EventQueue) -> None:
        put(dispatcher)
        await empty(queue)
        assert functions.figures.total("DestinationDeliveryFailures") == 1
        (letter,) = queue.dead_letters()
        assert letter.condition == "Success; there is no function arn:aws:sqs:r:a:line for its destination"

    dispatch(tmp_path, functions, test)


def test_destinations_in_a_circle_come_to_an_end(tmp_path: Path) -> None:
    functions = Functions(EventPolicy(on_success="arn:aws:lambda:r:a:function:f"), f=[OK])

    async def test(dispatcher: Dispatcher, queue: EventQueue) -> None:
        put(dispatcher)
        await empty(queue)
        assert len(functions.attempts) == MAX_CHAIN
        assert "circle" in queue.dead_letters()[0].condition

    dispatch(tmp_path, functions, test)


def test_an_end_in_the_middle_of_an_attempt_leaves_the_event_in_the_queue(tmp_path: Path) -> None:
    functions = Functions(f=[OK])

    async def test(dispatcher: Dispatcher, queue: EventQueue) -> None:
        functions.hold = asyncio.Event()
        put(dispatcher)
        await asyncio.sleep(0.1)
        assert len(functions.attempts) == 1
        await dispatcher.finish(drain=5)
        assert asyncio.get_running_loop().time() == pytest.approx(5.1)

    dispatch(tmp_path, functions, test)
    with closing(EventQueue(tmp_path)) as queue:
        assert len(queue.take("f", "1", 1e12, 10)) == 1


def test_an_end_waits_for_what_is_nearly_finished(tmp_path: Path) -> None:
    functions = Functions(f=[OK])

    async def test(dispatcher: Dispatcher, queue: EventQueue) -> None:
        functions.hold = asyncio.Event()
        put(dispatcher)
        await asyncio.sleep(0.1)
        asyncio.get_running_loop().call_later(1, functions.hold.set)
        await dispatcher.finish(drain=5)
        assert len(queue) == 0

    dispatch(tmp_path, functions, test)


def test_no_more_are_tried_at_once_than_there_are_slots(tmp_path: Path) -> None:
    functions = Functions(f=[OK], g=[OK])
    most = 0

    async def attempt(event: Event) -> Result:
        nonlocal most
        functions.slots -= 1
        most = max(most, 4 - functions.slots)
        await asyncio.sleep(1)
        functions.slots += 1
        return await Functions.attempt(functions, event)

    functions.slots = 4
    functions.attempt = attempt  # type: ignore[method-assign]

    async def test(dispatcher: Dispatcher, queue: EventQueue) -> None:
        for _ in range(40):
            put(dispatcher)
        await empty(queue)
        assert most == 4
        assert asyncio.get_running_loop().time() == pytest.approx(10, abs=1)
        assert not queue.dead_letters()

    dispatch(tmp_path, functions, test)


def test_where_there_is_no_room_one_is_tried_all_the_same(tmp_path: Path) -> None:
    functions = Functions(f=[THROTTLED], g=[OK])
    functions.slots = 0

    async def test(dispatcher: Dispatcher, queue: EventQueue) -> None:
        for _ in range(3):
            put(dispatcher)
        put(dispatcher, "g")
        await asyncio.sleep(0.25)
        assert sorted(function for function, _ in functions.attempts) == ["f", "f", "f", "g"]

    dispatch(tmp_path, functions, test)


def test_a_function_with_many_slots_and_events_keeps_nobody_waiting(tmp_path: Path) -> None:
    functions = Functions(f=[OK], g=[OK])
    functions.hold = asyncio.Event()

    async def test(dispatcher: Dispatcher, queue: EventQueue) -> None:
        for _ in range(CONCURRENT_EVENTS + 100):
            put(dispatcher)
        await asyncio.sleep(0.25)
        assert begun(functions) == {"f": CONCURRENT_EVENTS}
        for _ in range(5):
            put(dispatcher, "g")
        await asyncio.sleep(0.25)
        assert begun(functions)["g"] == 1  # although there is no room left, and as if its slots were few

    dispatch(tmp_path, functions, test)


def test_what_may_be_under_way_is_shared_equally(tmp_path: Path) -> None:
    functions = Functions(f=[OK], g=[OK], h=[OK])
    functions.hold = asyncio.Event()

    async def test(dispatcher: Dispatcher, queue: EventQueue) -> None:
        for function in ("f", "g"):
            for _ in range(CONCURRENT_EVENTS):
                put(dispatcher, function)
        for _ in range(6):
            put(dispatcher, "h")
        await asyncio.sleep(0.5)
        # What the one leaves of its share, the others get.
        assert begun(functions) == {"f": 125, "g": 125, "h": 6}

    dispatch(tmp_path, functions, test)


def test_what_becomes_free_goes_to_who_has_the_least(tmp_path: Path) -> None:
    functions = Functions(f=[OK], g=[OK])

    async def attempt(event: Event) -> Result:
        await asyncio.sleep(1 + event.id % CONCURRENT_EVENTS / 1000)  # so they end one by one
        return await Functions.attempt(functions, event)

    functions.attempt = attempt  # type: ignore[method-assign]

    async def test(dispatcher: Dispatcher, queue: EventQueue) -> None:
        for _ in range(4 * CONCURRENT_EVENTS):
            put(dispatcher)
        await asyncio.sleep(0.25)
        for _ in range(20):
            put(dispatcher, "g")
        await empty(queue)
        ends = [function for function, _ in functions.attempts]
        # They begin as soon as the first of the others end, so not even two rounds of those are over before them.
        assert ends.index("g") < CONCURRENT_EVENTS
        assert len(ends) - ends[::-1].index("g") <= 2 * CONCURRENT_EVENTS

    dispatch(tmp_path, functions, test)


def begun(functions: Functions) -> Counter[str]:
    return Counter(function for function, _ in functions.attempts)
