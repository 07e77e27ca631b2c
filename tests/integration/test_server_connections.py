"""Connections that die, stall and say too much."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from polylambda.server import connection as connection_module
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
    request,
    run,
    serving,
    stream_head,
    until,
)

LIMIT = 6 * 1024 * 1024 + 100


# Too much


@pytest.mark.parametrize("announced", [True, False])
def test_an_answer_over_the_limit_is_refused_while_it_is_still_being_sent(announced: bool) -> None:
    async def test() -> None:
        async with serving() as (broker, api):
            call = invoke(broker)
            with RawRuntime(api.address) as runtime:
                event = await runtime.call(NEXT)
                if announced:
                    head, _, _ = answer(event.request_id, b"x" * (LIMIT + 1)).partition(b"\r\n\r\n")
                    await runtime.send(head + b"\r\n\r\n" + b"x" * 1000)
                else:
                    head, _, _ = answer(event.request_id).partition(b"\r\n\r\n")
                    chunked = head.replace(b"Content-Length: 2", b"Transfer-Encoding: chunked")
                    await runtime.send(chunked + b"\r\n\r\n" + chunk(b"x" * LIMIT) + chunk(b"x"))
                refused = await runtime.reply()
                assert (refused.status, error_type(refused.body)) == (413, "RequestEntityTooLarge")
                message = "Exceeded maximum allowed payload size (6291556 bytes)."
                assert json.loads(refused.body)["errorMessage"] == message
                assert refused.closes
                assert await runtime.ended()
            response = await call
            assert (response.outcome, response.error_type) == (Outcome.ERROR, "Function.ResponseSizeTooLarge")
            assert error_type(await response.read()) == "Function.ResponseSizeTooLarge"

    run(test)


def test_a_client_that_sends_all_of_it_first_still_reads_the_refusal() -> None:
    async def test() -> None:
        async with serving() as (broker, api):
            call = invoke(broker)
            with RawRuntime(api.address) as runtime:
                event = await runtime.call(NEXT)
                # More than any socket buffer holds, and a poll behind it, which is lost.
                refused = await runtime.call(answer(event.request_id, b"x" * (LIMIT * 4)) + NEXT)
                assert (refused.status, refused.closes) == (413, True)
                assert await runtime.ended()
            assert (await call).error_type == "Function.ResponseSizeTooLarge"
            call = invoke(broker)
            with RawRuntime(api.address) as runtime:
                event = await runtime.call(NEXT)
                await runtime.call(answer(event.request_id))
            assert (await call).outcome is Outcome.SUCCESS

    run(test)


def test_an_answer_of_exactly_the_limit_is_taken() -> None:
    async def test() -> None:
        async with serving() as (broker, api):
            call = invoke(broker)
            with RawRuntime(api.address) as runtime:
                event = await runtime.call(NEXT)
                assert (await runtime.call(answer(event.request_id, b"x" * LIMIT))).status == 202
            assert len(await (await call).read()) == LIMIT

    run(test)


def test_the_body_of_a_refused_answer_is_read_for_a_while() -> None:
    async def test() -> None:
        async with serving() as (_, api):
            with RawRuntime(api.address) as runtime:
                piece = b"x" * 100_000
                await runtime.send(stream_head("no-such-id") + chunk(piece))
                await runtime.send(chunk(piece))
                refused = await runtime.call(b"0\r\n\r\n")
                assert (refused.status, refused.closes) == (400, False)
                upload = asyncio.create_task(runtime.send(stream_head("no-such-id") + chunk(b"x" * 50_000_000)))
                refused = await runtime.reply()
                assert (refused.status, refused.closes) == (400, True)
                assert await runtime.ended()
                await asyncio.gather(upload, return_exceptions=True)

    run(test)


def test_a_client_that_never_hangs_up_is_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "LINGER", 0.01)

    async def test() -> None:
        async with serving() as (_, api):
            with RawRuntime(api.address) as runtime:
                refused = await runtime.call(answer("no-such-id", b"x" * LIMIT)[:1000])
                assert (refused.status, refused.closes) == (400, True)
                await until(lambda: not api._listener._connections)

    run(test)


def test_what_is_sent_ahead_of_a_waiting_poll_is_not_read_without_end() -> None:
    async def test() -> None:
        async with serving() as (broker, api):
            with RawRuntime(api.address) as runtime:
                await runtime.send(NEXT)
                await parked(api, 1)
                flood = asyncio.create_task(runtime.send(NEXT * 100_000))
                (connection,) = api._listener._connections
                transport: Any = connection._transport
                await until(lambda: not transport.is_reading())
                assert connection._wire.buffered < 1024 * 1024
                assert not flood.done()
                flood.cancel()
                calls = [invoke(broker, request_id=str(number)) for number in range(3)]
                for number in range(3):
                    event = await runtime.reply()
                    assert event.request_id == str(number)
                    with RawRuntime(api.address) as other:
                        await other.call(answer(event.request_id))
                await asyncio.gather(*calls)

    run(test)


def test_replies_that_nobody_reads_are_not_piled_up_without_end() -> None:
    async def test() -> None:
        async with serving() as (_, api):
            with RawRuntime(api.address) as runtime:
                nonsense = request("GET", "/" + "x" * 200)  # whose refusal is longer than it
                flood = asyncio.create_task(runtime.send(nonsense * 80_000))
                await until(lambda: api._listener._connections)
                (connection,) = api._listener._connections
                transport: Any = connection._transport
                await until(lambda: connection._congested and not transport.is_reading())
                assert not flood.done()
                assert transport.get_write_buffer_size() < 1024 * 1024
                assert connection._wire.buffered < 1024 * 1024
                while connection._congested:
                    assert (await runtime.reply()).status == 404
                flood.cancel()

    run(test)


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
