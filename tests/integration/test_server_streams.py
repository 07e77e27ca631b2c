"""Streamed responses over real sockets: pieces, errors, and both sides' pace."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import pytest

from polylambda.server import connection as connection_module
from polylambda.server.broker import Outcome
from tests.integration.raw_runtime import (
    NEXT,
    RawRuntime,
    chunk,
    error,
    error_type,
    invoke,
    run,
    serving,
    stream_head,
    until,
)

LIMIT = 6 * 1024 * 1024 + 100


def test_pieces_reach_the_caller_while_the_runtime_still_sends() -> None:
    async def test() -> None:
        async with serving() as (broker, api):
            call = invoke(broker)
            with RawRuntime(api.address) as runtime:
                event = await runtime.call(NEXT)
                await runtime.send(stream_head(event.request_id))
                response = await call
                assert response.streamed
                pieces = response.__aiter__()
                for piece in (b"one", b"two", b"three"):
                    await runtime.send(chunk(piece))
                    assert await anext(pieces) == piece
                assert (await runtime.call(b"0\r\n\r\n")).status == 202
                assert [piece async for piece in pieces] == []
                assert response.outcome is Outcome.SUCCESS

    run(test)


def test_an_error_in_the_trailers() -> None:
    async def test() -> None:
        async with serving() as (broker, api):
            call = invoke(broker)
            with RawRuntime(api.address) as runtime:
                event = await runtime.call(NEXT)
                body = b'{"errorMessage": "late", "errorType": "E"}'
                encoded = base64.b64encode(body)
                trailers = (
                    b"Lambda-Runtime-Function-Error-Type: Function.Bad\r\nLambda-Runtime-Function-Error-Body: "
                    + encoded
                )
                sent = stream_head(event.request_id) + chunk(b"some") + b"0\r\n" + trailers + b"\r\n\r\n"
                assert (await runtime.call(sent)).status == 202
            response = await call
            assert await response.read() == b"some"
            assert (response.outcome, response.error_type, response.error_body) == (Outcome.ERROR, "Function.Bad", body)

    run(test)


def test_an_error_post_while_the_stream_runs() -> None:
    async def test() -> None:
        async with serving() as (broker, api):
            call = invoke(broker)
            with RawRuntime(api.address) as runtime, RawRuntime(api.address) as other:
                event = await runtime.call(NEXT)
                await runtime.send(stream_head(event.request_id) + chunk(b"some"))
                response = await call
                assert await anext(response.__aiter__()) == b"some"
                assert (await other.call(error(event.request_id, b"[]"))).status == 202
                refused = await runtime.reply()
                assert (refused.status, error_type(refused.body), refused.closes) == (400, "InvalidRequestID", True)
                assert await response.read() == b""
                assert (response.outcome, response.error_body) == (Outcome.ERROR, b"[]")

    run(test)


def test_a_slow_caller_slows_the_runtime_down() -> None:
    async def test() -> None:
        async with serving(stream_buffer=64 * 1024) as (broker, api):
            call = invoke(broker)
            with RawRuntime(api.address) as runtime:
                event = await runtime.call(NEXT)
                await runtime.send(stream_head(event.request_id))
                response = await call
                size = 64 * 1024 * 1024
                upload = asyncio.create_task(runtime.send(chunk(b"x" * size) + b"0\r\n\r\n"))
                (connection,) = api._listener._connections
                transport: Any = connection._transport
                await until(lambda: not transport.is_reading())
                assert not upload.done()
                received = most = 0
                async for piece in response:
                    received += len(piece)
                    await asyncio.sleep(0)
                    most = max(most, response._buffered + connection._wire.buffered)
                assert received == size
                assert most < 2 * 1024 * 1024
                await upload
                assert (await runtime.reply()).status == 202

    run(test)


def test_a_stream_that_its_caller_holds_back_ends_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "LINGER", 1_000)

    async def test() -> None:
        async with serving(stream_buffer=1024) as (broker, api):
            call = invoke(broker, timeout=0.3)
            with RawRuntime(api.address) as runtime:
                event = await runtime.call(NEXT)
                upload = asyncio.create_task(runtime.send(stream_head(event.request_id) + chunk(b"x" * 50_000_000)))
                response = await call
                refused = await runtime.reply()
                assert (refused.status, error_type(refused.body), refused.closes) == (410, "InvokeTimeout", True)
                assert response.outcome is Outcome.TIMEOUT
                upload.cancel()
                runtime.half_close()
                assert await runtime.ended()
                await until(lambda: not api._listener._connections)

    run(test)


def test_a_caller_that_hangs_up_lets_the_runtime_finish() -> None:
    async def test() -> None:
        async with serving(stream_buffer=1024) as (broker, api):
            call = invoke(broker)
            with RawRuntime(api.address) as runtime:
                event = await runtime.call(NEXT)
                await runtime.send(stream_head(event.request_id))
                response = await call
                upload = asyncio.create_task(runtime.send(chunk(b"x" * 50_000_000) + b"0\r\n\r\n"))
                assert await anext(response.__aiter__())
                await response.aclose()
                await upload
                assert (await runtime.reply()).status == 202

    run(test)
