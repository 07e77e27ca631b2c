"""Clients that say too much, or listen too little."""

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
