"""The Runtime API server over real sockets: connections that die, stall, half-close, pipeline and say too much."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from polylambda.server.broker import Broker, Invocation, Outcome, Response
from polylambda.server.environment import Phase, RuntimeApi
from polylambda.server.errors import CannotStart
from polylambda.server.function import FunctionConfiguration
from tests.integration.raw_runtime import NEXT, RawRuntime, answer, chunk, error, request, stream_head

LIMIT = 6 * 1024 * 1024 + 100


@asynccontextmanager
async def serving(**options: Any) -> AsyncIterator[tuple[Broker, RuntimeApi]]:
    function = options.pop("function", None)
    broker = Broker(**options)
    async with RuntimeApi(broker, function=function) as api:
        yield broker, api


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(30):
            await test()

    asyncio.run(main())


def invoke(broker: Broker, payload: bytes = b"{}", **metadata: Any) -> asyncio.Task[Response]:
    return asyncio.create_task(
        broker.invoke(Invocation(payload=payload, timeout=metadata.pop("timeout", 20), **metadata))
    )


def error_type(body: bytes) -> str:
    return json.loads(body)["errorType"]


async def parked(api: RuntimeApi, count: int) -> None:
    """Wait until `count` polls wait for an invocation."""
    while len(api.broker._polls) != count:
        await asyncio.sleep(0)


# One connection


def test_a_thousand_invocations_on_one_connection() -> None:  # E20
    async def test() -> None:
        async with serving() as (broker, api):
            with RawRuntime(api.address) as runtime:
                for number in range(1000):
                    call = invoke(broker, b"%d" % number)
                    event = await runtime.call(NEXT)
                    assert event.body == b"%d" % number
                    accepted = await runtime.call(answer(event.request_id, event.body))
                    assert (accepted.status, accepted.body) == (202, b'{"status":"OK"}\n')
                    assert await (await call).read() == b"%d" % number

    run(test)


def test_answers_and_polls_in_one_write() -> None:
    async def test() -> None:
        async with serving() as (broker, api):
            with RawRuntime(api.address) as runtime:
                calls = [invoke(broker, b"%d" % number) for number in range(500)]
                event = await runtime.call(NEXT)
                for _ in range(499):
                    await runtime.send(answer(event.request_id, event.body) + NEXT)
                    assert (await runtime.reply()).status == 202
                    event = await runtime.reply()
                await runtime.call(answer(event.request_id, event.body))
                bodies = [await (await call).read() for call in calls]
                assert bodies == [b"%d" % number for number in range(500)]

    run(test)


def test_a_poll_behind_a_refused_answer_counts() -> None:
    async def test() -> None:
        async with serving() as (broker, api):
            with RawRuntime(api.address) as runtime:
                await runtime.send(answer("no-such-id", b"x" * 100_000) + NEXT)
                refused = await runtime.reply()
                assert (refused.status, error_type(refused.body), refused.closes) == (400, "InvalidRequestID", False)
                call = invoke(broker)
                event = await runtime.reply()
                await runtime.call(answer(event.request_id))
                assert (await call).outcome is Outcome.SUCCESS

    run(test)


def test_the_event_with_its_metadata() -> None:  # E52
    async def test() -> None:
        async with serving() as (broker, api):
            with RawRuntime(api.address) as runtime:
                call = invoke(
                    broker,
                    b"a=b",
                    content_type="application/x-www-form-urlencoded",
                    request_id="the-id",
                    tenant_id="blue",
                    client_context='{"custom": {}}',
                )
                event = await runtime.call(NEXT)
                assert event.body == b"a=b"
                assert event.request_id == "the-id"
                assert event.headers["content-type"] == "application/x-www-form-urlencoded"
                assert event.headers["lambda-runtime-aws-tenant-id"] == "blue"
                assert event.headers["lambda-runtime-client-context"] == '{"custom": {}}'
                assert event.headers["lambda-runtime-cognito-identity"] == ""
                attempt = event.headers["lambda-runtime-invocation-id"]
                wrong = await runtime.call(answer("the-id", Lambda_Runtime_Invocation_Id=attempt + "x"))
                assert (wrong.status, error_type(wrong.body)) == (400, "InvalidInvocationId")
                await runtime.call(
                    answer("the-id", b"done", Lambda_Runtime_Invocation_Id=attempt, Content_Type="text/plain")
                )
                response = await call
                assert (response.content_type, await response.read()) == ("text/plain", b"done")

    run(test)


def test_a_missing_content_type_is_octet_stream() -> None:
    async def test() -> None:
        async with serving() as (broker, api):
            with RawRuntime(api.address) as runtime:
                call = invoke(broker)
                event = await runtime.call(NEXT)
                await runtime.call(answer(event.request_id))
                assert (await call).content_type == "application/octet-stream"

    run(test)


def test_an_error_reaches_the_caller_word_for_word() -> None:
    async def test() -> None:
        async with serving() as (broker, api):
            with RawRuntime(api.address) as runtime:
                call = invoke(broker)
                event = await runtime.call(NEXT)
                body = b'{"errorMessage": "bad", "errorType": "E"}'
                reply = await runtime.call(
                    error(event.request_id, body, Lambda_Runtime_Function_Error_Type="Function.Bad")
                )
                assert reply.status == 202
                response = await call
                assert (response.error_type, await response.read()) == ("Function.Bad", body)

    run(test)


@pytest.mark.parametrize("announced", [True, False])
def test_an_error_that_is_too_large_is_refused_and_still_ends_the_invocation(announced: bool) -> None:
    async def test() -> None:
        async with serving() as (broker, api):
            with RawRuntime(api.address) as runtime:
                call = invoke(broker)
                event = await runtime.call(NEXT)
                body = b"x" * (1024 * 1024 + 1)
                sent = error(event.request_id, body, Lambda_Runtime_Function_Error_Type="Function.Bad")
                if not announced:
                    head, _, _ = sent.partition(b"\r\n\r\n")
                    chunked = head.replace(b"Content-Length: %d" % len(body), b"Transfer-Encoding: chunked")
                    sent = chunked + b"\r\n\r\n" + chunk(body)
                refused = await runtime.call(sent)
                assert (refused.status, error_type(refused.body)) == (413, "RequestEntityTooLarge")
                response = await call
                assert (response.outcome, response.error_type) == (Outcome.ERROR, "Function.Bad")
                assert error_type(await response.read()) == "Function.Bad"

    run(test)


def test_a_large_event_and_a_large_answer() -> None:
    async def test() -> None:
        async with serving() as (broker, api):
            with RawRuntime(api.address) as runtime:
                payload = bytes(range(256)) * 24_000
                call = invoke(broker, payload)
                event = await runtime.call(NEXT)
                assert event.body == payload
                await runtime.call(answer(event.request_id, payload))
                assert await (await call).read() == payload

    run(test)


def test_a_client_that_waits_for_leave_to_send_gets_it_or_its_refusal() -> None:
    async def test() -> None:
        async with serving() as (broker, api):
            call = invoke(broker)
            with RawRuntime(api.address) as runtime:
                event = await runtime.call(NEXT)
                head, _, body = answer(event.request_id, b"[1]", Expect="100-continue").partition(b"\r\n\r\n")
                assert (await runtime.call(head + b"\r\n\r\n")).status == 100
                assert (await runtime.call(body)).status == 202
                assert await (await call).read() == b"[1]"
                refused = await runtime.call(head + b"\r\n\r\n")
                assert (refused.status, refused.closes) == (400, True)
                assert await runtime.ended()

    run(test)


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


def test_what_is_sent_ahead_of_a_waiting_poll_is_not_read_without_end() -> None:
    async def test() -> None:
        async with serving() as (broker, api):
            with RawRuntime(api.address) as runtime:
                await runtime.send(NEXT)
                await parked(api, 1)
                flood = asyncio.create_task(runtime.send(NEXT * 100_000))
                (connection,) = api._connections
                transport: Any = connection._transport
                while transport.is_reading():
                    await asyncio.sleep(0)
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
                while not api._connections:
                    await asyncio.sleep(0)
                (connection,) = api._connections
                transport: Any = connection._transport
                while not connection._congested or transport.is_reading():
                    await asyncio.sleep(0)
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


# Streams


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
                (connection,) = api._connections
                transport: Any = connection._transport
                while transport.is_reading():
                    await asyncio.sleep(0)
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


# What else there is


@pytest.mark.parametrize(
    ("sent", "status", "kind"),
    [
        (request("GET", "/"), 404, "NotFound"),
        (request("POST", "/2018-06-01/runtime/invocation/x/other"), 404, "NotFound"),
        (request("POST", "/2018-06-01/runtime/invocation/x"), 404, "NotFound"),
        (request("GET", "/2018-06-01/runtime/restore/next"), 404, "NotFound"),
        (request("POST", "/2018-06-01/runtime/invocation/next"), 405, "MethodNotAllowed"),
        (request("GET", "/2018-06-01/runtime/invocation/x/response"), 405, "MethodNotAllowed"),
        (request("PUT", "/2018-06-01/runtime/invocation/x/error"), 405, "MethodNotAllowed"),
        (request("GET", "/2018-06-01/runtime/init/error"), 405, "MethodNotAllowed"),
        (request("POST", "/2018-06-01/runtime/invocation//response"), 400, "InvalidRequestID"),
        (request("POST", "/2018-06-01/runtime/invocation/x/error"), 400, "InvalidRequestID"),
    ],
)
def test_what_does_not_exist_is_refused_and_the_connection_goes_on(sent: bytes, status: int, kind: str) -> None:
    async def test() -> None:
        async with serving() as (_, api):
            with RawRuntime(api.address) as runtime:
                refused = await runtime.call(sent)
                assert (refused.status, error_type(refused.body)) == (status, kind)
                assert ("allow" in refused.headers) == (status == 405)
                assert (await runtime.call(request("GET", "/2018-06-01/ping?x=1"))).body == b"pong"

    run(test)


def test_what_is_not_http_is_refused_and_the_connection_ends() -> None:
    async def test() -> None:
        async with serving() as (_, api):
            with RawRuntime(api.address) as runtime:
                refused = await runtime.call(b"\x16\x03\x01 hello\r\n\r\n")
                assert (refused.status, refused.closes) == (400, True)
                assert await runtime.ended()

    run(test)


def test_a_poll_with_a_body_is_refused() -> None:
    async def test() -> None:
        async with serving() as (_, api):
            with RawRuntime(api.address) as runtime:
                refused = await runtime.call(request("GET", "/2018-06-01/runtime/invocation/next", b"x"))
                assert (refused.status, error_type(refused.body)) == (413, "RequestEntityTooLarge")

    run(test)


def test_an_init_error_fails_what_waits_and_is_remembered() -> None:
    async def test() -> None:
        async with serving() as (broker, api):
            call = invoke(broker)
            body = b'{"errorMessage": "no module", "errorType": "Runtime.ImportModuleError"}'
            path = "/2018-06-01/runtime/init/error"
            sent = request("POST", path, body, Lambda_Runtime_Function_Error_Type="Runtime.ImportModuleError")
            with RawRuntime(api.address) as runtime:
                assert (await runtime.call(sent)).status == 202
                assert not await api.ready()
                again = await runtime.call(sent)
                assert (again.status, error_type(again.body)) == (403, "InvalidStateTransition")
            for response in (await call, await broker.invoke(Invocation(payload=b"{}"))):
                assert (response.outcome, response.error_type) == (Outcome.FAILURE, "Runtime.ImportModuleError")
                assert await response.read() == body
            assert (api.phase, api.init_error) == (Phase.INIT_FAILED, ("Runtime.ImportModuleError", body))
            api.runtime_started()
            with RawRuntime(api.address) as runtime:
                call = invoke(broker)
                event = await runtime.call(NEXT)
                assert await api.ready()
                refused = await runtime.call(sent)
                assert (refused.status, error_type(refused.body)) == (403, "InvalidStateTransition")
                await runtime.call(answer(event.request_id))
                assert (await call).outcome is Outcome.SUCCESS

    run(test)


def test_a_snapshot_is_restored_at_once_where_there_are_snapshots() -> None:
    async def test() -> None:
        function = FunctionConfiguration(initialization_type="snap-start")
        async with serving(function=function) as (_, api):
            with RawRuntime(api.address) as runtime:
                restored = await runtime.call(request("GET", "/2018-06-01/runtime/restore/next"))
                assert (restored.status, restored.body) == (200, b"")
                failed = await runtime.call(
                    request(
                        "POST",
                        "/2018-06-01/runtime/restore/error",
                        b"{}",
                        Lambda_Runtime_Function_Error_Type="Runtime.AfterRestoreError",
                    )
                )
                assert failed.status == 202
                assert api.init_error == ("Runtime.AfterRestoreError", b"{}")

    run(test)


def test_an_internal_extension_registers_and_hears_of_the_shutdown() -> None:
    async def test() -> None:
        function = FunctionConfiguration(name="f", version="7", handler="app.handler")
        async with serving(function=function) as (_, api):
            register = "/2020-01-01/extension/register"
            follow = "/2020-01-01/extension/event/next"
            with RawRuntime(api.address) as runtime, RawRuntime(api.address) as silent, RawRuntime(api.address) as told:
                identifiers: list[str] = []
                for name, events in (("silent", b"[]"), ("told", b'["SHUTDOWN"]')):
                    reply = await runtime.call(
                        request("POST", register, b'{"events":%b}' % events, Lambda_Extension_Name=name)
                    )
                    assert reply.status == 200
                    fields = {"functionName": "f", "functionVersion": "7", "handler": "app.handler"}
                    assert json.loads(reply.body) == fields
                    identifiers.append(reply.headers["lambda-extension-identifier"])
                await silent.send(request("GET", follow, Lambda_Extension_Identifier=identifiers[0]))
                await told.send(request("GET", follow, Lambda_Extension_Identifier=identifiers[1]))
                wrong = await runtime.call(request("GET", follow))
                assert (wrong.status, error_type(wrong.body)) == (403, "Extension.MissingExtensionIdentifier")
                await runtime.send(NEXT)
                await parked(api, 1)
                with RawRuntime(api.address) as late:
                    reply = await late.call(request("POST", register, b'{"events":[]}', Lambda_Extension_Name="late"))
                    assert (reply.status, error_type(reply.body)) == (403, "Extension.RegistrationClosed")
                api.announce_shutdown(2.0)
                event = json.loads((await told.reply()).body)
                assert event.keys() == {"eventType", "shutdownReason", "deadlineMs"}
                assert (event["eventType"], event["shutdownReason"]) == ("SHUTDOWN", "spindown")
                await api.stop()
                assert await silent.ended()

    run(test)


# Starting and stopping


def test_stopping_ends_every_connection_and_keeps_the_queue() -> None:
    async def test() -> None:
        broker = Broker()
        api = RuntimeApi(broker)
        await api.start()
        with RawRuntime(api.address) as polling, RawRuntime(api.address) as sending, RawRuntime(api.address):
            running = invoke(broker)
            event = await sending.call(NEXT)
            await sending.send(stream_head(event.request_id) + chunk(b"some"))
            assert await anext((await running).__aiter__()) == b"some"
            await polling.send(NEXT)
            await parked(api, 1)
            await api.stop()
            assert await polling.ended()
            with pytest.raises(OSError):
                RawRuntime(api.address)
        assert (await running).outcome is Outcome.TRUNCATED
        waiting = invoke(broker)
        async with RuntimeApi(broker) as another:
            with RawRuntime(another.address) as runtime:
                event = await runtime.call(NEXT)
                await runtime.call(answer(event.request_id))
                assert (await waiting).outcome is Outcome.SUCCESS
        await api.stop()

    run(test)


def test_a_taken_port_is_said_so() -> None:
    async def test() -> None:
        async with serving() as (broker, api):
            port = int(api.address.rpartition(":")[2])
            with pytest.raises(CannotStart, match=f"127.0.0.1:{port}.*choose another port"):
                await RuntimeApi(broker, port=port).start()

    run(test)


@pytest.mark.parametrize(
    ("host", "address"), [("0.0.0.0", "127.0.0.1:"), ("localhost", "localhost:"), ("::1", "[::1]:")]
)
def test_the_address_is_one_that_a_runtime_can_use(host: str, address: str) -> None:
    async def test() -> None:
        broker = Broker()
        async with RuntimeApi(broker, host=host) as api:
            assert api.address.startswith(address)
            with RawRuntime(api.address) as runtime:
                assert (await runtime.call(request("GET", "/2018-06-01/ping"))).status == 200

    run(test)
