"""The requests of the Runtime API over real sockets, and the life of the server."""

from __future__ import annotations

import json

import pytest

from polylambda.server.broker import Invocation, Outcome
from polylambda.server.environment import Phase
from polylambda.server.function import FunctionConfiguration
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
)

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
