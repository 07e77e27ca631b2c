"""Connections that die, and connections that stall."""

from __future__ import annotations

import asyncio

import pytest

from polylambda.server.broker import Outcome
from tests.integration.raw_runtime import (
    NEXT,
    RawRuntime,
    answer,
    chunk,
    error,
    error_type,
    invoke,
    parked,
    run,
    serving,
    stream_head,
    until,
)

# Connections that die


@pytest.mark.parametrize("end", ["close", "reset", "half_close"])
def test_a_poll_whose_connection_died_gets_no_invocation(end: str) -> None:
    async def test() -> None:
        async with serving() as (broker, api):
            with RawRuntime(api.address) as dead, RawRuntime(api.address) as alive:
                await dead.send(NEXT)
                await parked(api, 1)
                await alive.send(NEXT)
                await parked(api, 2)
                if end == "close":
                    dead.sock.close()
                else:
                    getattr(dead, end)()
                await parked(api, 1)
                call = invoke(broker)
                event = await alive.reply()
                await alive.call(answer(event.request_id))
                assert (await call).outcome is Outcome.SUCCESS

    run(test)


def test_a_dead_poll_is_dropped_at_once_and_not_when_its_connection_is_gone() -> None:
    async def test() -> None:
        async with serving() as (broker, api):
            with RawRuntime(api.address) as dead:
                await dead.send(NEXT)
                await parked(api, 1)
                (connection,) = api._listener._connections
                connection.eof_received()
                assert not broker._polls

    run(test)


@pytest.mark.parametrize("end", ["close", "reset"])
def test_an_invocation_sent_to_a_connection_that_had_just_died_is_sent_again(end: str) -> None:
    async def test() -> None:
        async with serving() as (broker, api):
            with RawRuntime(api.address) as dead, RawRuntime(api.address) as alive:
                await dead.send(NEXT)
                await parked(api, 1)
                if end == "close":
                    dead.sock.close()
                else:
                    dead.reset()
                # The task runs before the loop looks at its sockets again.
                call = invoke(broker)
                await asyncio.sleep(0)
                assert not api.broker._polls, "the invocation went to the dead poll"
                event = await alive.call(NEXT)
                await alive.call(answer(event.request_id))
                assert (await call).outcome is Outcome.SUCCESS

    run(test)


@pytest.mark.parametrize("size", [2, 5_000_000])
def test_an_invocation_that_its_runtime_left_unread_is_sent_again(size: int) -> None:
    async def test() -> None:
        async with serving() as (broker, api):
            with RawRuntime(api.address) as dead, RawRuntime(api.address) as alive:
                call = invoke(broker, b"x" * size, request_id="the-id")
                await asyncio.sleep(0)
                await dead.send(NEXT)
                first = await asyncio.get_running_loop().sock_recv(dead.sock, 10)  # it has come, and is not read
                assert first == b"HTTP/1.1 2"
                dead.sock.close()
                event = await alive.call(NEXT)
                assert (event.request_id, len(event.body)) == ("the-id", size)
                await alive.call(answer(event.request_id))
                assert (await call).outcome is Outcome.SUCCESS

    run(test)


def test_an_invocation_that_was_read_is_not_sent_again() -> None:
    async def test() -> None:
        async with serving() as (broker, api):
            with RawRuntime(api.address) as dead, RawRuntime(api.address) as alive:
                call = invoke(broker, timeout=0.2)
                await dead.call(NEXT)
                dead.sock.close()
                await alive.send(NEXT)
                assert (await call).outcome is Outcome.TIMEOUT
                following = invoke(broker, request_id="following")
                assert (await alive.reply()).request_id == "following"
                await alive.send(answer("following"))
                await following

    run(test)


def test_an_answer_may_come_on_another_connection_after_the_first_is_gone() -> None:
    async def test() -> None:
        async with serving() as (broker, api):
            call = invoke(broker)
            with RawRuntime(api.address) as first:
                event = await first.call(NEXT)
            with RawRuntime(api.address) as second:
                assert (await second.call(answer(event.request_id, b"done"))).status == 202
            assert await (await call).read() == b"done"

    run(test)


def test_a_client_that_closes_its_sending_half_is_replied_to() -> None:
    async def test() -> None:
        async with serving() as (broker, api):
            call = invoke(broker)
            with RawRuntime(api.address) as runtime:
                event = await runtime.call(NEXT)
                await runtime.send(answer(event.request_id, b"done"))
                runtime.half_close()
                assert (await runtime.reply()).status == 202
                assert await runtime.ended()
            assert await (await call).read() == b"done"

    run(test)


def test_a_client_that_closes_its_sending_half_gets_every_reply() -> None:
    async def test() -> None:
        async with serving() as (_, api):
            with RawRuntime(api.address) as runtime:
                nonsense = b"GET / HTTP/1.1\r\n\r\n"
                assert (await runtime.call(nonsense)).status == 404
                (connection,) = api._listener._connections
                expected = 0
                while not connection._congested:
                    await runtime.send(nonsense * 1000)
                    expected += 1000
                    for _ in range(3):  # turns of the loop, in which they are served
                        await asyncio.sleep(0)
                await runtime.send(nonsense * 10)
                expected += 10
                runtime.half_close()
                await until(lambda: connection._wire.eof)
                for _ in range(expected):
                    assert (await runtime.reply()).status == 404
                assert await runtime.ended()

    run(test)


@pytest.mark.parametrize("end", ["close", "reset", "half_close"])
@pytest.mark.parametrize("streamed", [False, True])
def test_an_answer_that_breaks_off(end: str, streamed: bool) -> None:
    async def test() -> None:
        async with serving() as (broker, api):
            call = invoke(broker)
            with RawRuntime(api.address) as runtime:
                event = await runtime.call(NEXT)
                if streamed:
                    await runtime.send(stream_head(event.request_id) + chunk(b"some") + b"ff\r\nmore")
                    response = await call
                    pieces = response.__aiter__()
                    assert await anext(pieces) == b"somemore"
                else:
                    await runtime.send(answer(event.request_id, b"whole")[:-1])
                if end == "half_close":
                    runtime.half_close()
                    reply = await runtime.reply()
                    assert (reply.status, error_type(reply.body)) == (400, "TruncatedHTTPRequest")
                    assert reply.closes
                    assert await runtime.ended()
                elif end == "reset":
                    runtime.reset()
                else:
                    runtime.sock.close()
                response = await call
                body = await response.read()
                assert (response.outcome, response.error_type) == (Outcome.TRUNCATED, "Runtime.TruncatedResponse")
                assert error_type(response.error_body if streamed else body) == "Runtime.TruncatedResponse"

    run(test)


def test_half_an_error_is_no_error() -> None:
    async def test() -> None:
        async with serving() as (broker, api):
            call = invoke(broker)
            with RawRuntime(api.address) as runtime:
                event = await runtime.call(NEXT)
                await runtime.send(error(event.request_id, b"{}")[:-1])
            with RawRuntime(api.address) as runtime:
                assert (await runtime.call(error(event.request_id, b"[]"))).status == 202
            assert await (await call).read() == b"[]"

    run(test)


# Connections that stall


def test_a_stalled_request_does_not_keep_others_waiting() -> None:
    async def test() -> None:
        async with serving() as (broker, api):
            with RawRuntime(api.address) as stalled, RawRuntime(api.address) as runtime:
                await stalled.send(NEXT[:-1])
                call = invoke(broker)
                event = await runtime.call(NEXT)
                await runtime.call(answer(event.request_id))
                assert (await call).outcome is Outcome.SUCCESS

    run(test)


@pytest.mark.parametrize("streamed", [False, True])
def test_an_answer_that_stalls_is_cut_at_the_deadline(streamed: bool) -> None:
    async def test() -> None:
        async with serving() as (broker, api):
            call = invoke(broker, timeout=0.2)
            with RawRuntime(api.address) as runtime:
                event = await runtime.call(NEXT)
                if streamed:
                    await runtime.send(stream_head(event.request_id) + chunk(b"some"))
                else:
                    await runtime.send(answer(event.request_id, b"whole")[:-1])
                reply = await runtime.reply()
                assert (reply.status, error_type(reply.body), reply.closes) == (410, "InvokeTimeout", True)
                assert await runtime.ended()
            response = await call
            body = await response.read()
            assert (response.outcome, response.error_type) == (Outcome.TIMEOUT, "Sandbox.Timedout")
            assert error_type(response.error_body if streamed else body) == "Sandbox.Timedout"

    run(test)


def test_a_late_answer_is_gone_and_the_connection_goes_on() -> None:
    async def test() -> None:
        async with serving() as (broker, api):
            with RawRuntime(api.address) as runtime:
                call = invoke(broker, timeout=0.05)
                event = await runtime.call(NEXT)
                assert (await call).outcome is Outcome.TIMEOUT
                late = [await runtime.call(answer(event.request_id)) for _ in range(2)]
                assert [(reply.status, error_type(reply.body), reply.closes) for reply in late] == [
                    (410, "InvokeTimeout", False),
                    (400, "InvalidRequestID", False),
                ]
                call = invoke(broker)
                event = await runtime.call(NEXT)
                await runtime.call(answer(event.request_id))
                assert (await call).outcome is Outcome.SUCCESS

    run(test)
