"""A whole runtime against a scripted platform: what exactly goes out, and a platform that is not as it should be."""

from __future__ import annotations

import base64
import contextlib
import json
import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from polylambda import LambdaRuntime, ResponseStream, ResponseWriter
from polylambda.settings import Settings
from tests.scripted import PATIENCE, Peer, ScriptedServer

HTTP = "application/vnd.awslambda.http-integration-response"

both = pytest.mark.parametrize("kind", ["def", "async def"])


@contextlib.contextmanager
def platform(script: Callable[[Peer], None], handler: Any, **options: Any) -> Iterator[None]:
    """Run `handler` until `script` is through."""

    def serve(server: ScriptedServer) -> None:
        try:
            script(server.accept())
        finally:
            runtime.stop()

    with ScriptedServer(serve) as server:
        settings = {"AWS_LAMBDA_RUNTIME_API": server.address, "POLYLAMBDA_REGISTER_EXTENSION": "0"}
        runtime = LambdaRuntime(handler, settings=Settings(settings), **options)
        running = threading.Thread(target=runtime.run, name="runtime")
        running.start()
        try:
            yield
        finally:
            running.join(2 * PATIENCE)


def writes(*steps: tuple[Any, ...], kind: str) -> Any:
    """A handler that takes the raw response and does `steps` with it; one that is an exception is raised."""

    def blocking(event, response: ResponseStream, context):
        for step, *arguments in steps:
            if step == "raise":
                raise arguments[0]
            getattr(response, step)(*arguments)

    async def asynchronous(event, response: ResponseStream, context):
        for step, *arguments in steps:
            if step == "raise":
                raise arguments[0]
            awaitable = getattr(response, step)(*arguments)
            if awaitable is not None:
                await awaitable

    return blocking if kind == "def" else asynchronous


def run(handler: Any, script: Callable[[Peer], None]) -> None:
    with platform(script, handler):
        pass


@both
def test_a_whole_answer_has_a_length_and_no_mode(kind):
    """E1."""

    def script(peer: Peer) -> None:
        peer.poll()
        peer.send_event("id-1")
        request = peer.answer("id-1")
        assert request.body == b"hello"
        assert request.headers["content-length"] == "5"
        assert "lambda-runtime-function-response-mode" not in request.headers
        peer.reply(202)

    run(writes(("finish", "hello"), kind=kind), script)


@both
def test_five_writes_are_one_chunked_request_that_announces_its_trailers(kind):
    """E2."""

    def script(peer: Peer) -> None:
        peer.poll()
        peer.send_event("id-1")
        request = peer.answer("id-1")
        assert request.body == b"abcde"
        assert request.trailers == {}
        assert request.headers["lambda-runtime-function-response-mode"] == "streaming"
        assert request.headers["transfer-encoding"] == "chunked"
        announced = request.headers["trailer"].lower().replace(" ", "").split(",")
        assert set(announced) == {"lambda-runtime-function-error-type", "lambda-runtime-function-error-body"}
        peer.reply(202)
        assert peer.rest() == b""  # the connection is not used again

    run(writes(*(("write", piece) for piece in "abcde"), ("finish",), kind=kind), script)


@both
def test_the_head_of_an_http_response_has_its_own_content_type(kind):
    """E3."""

    def script(peer: Peer) -> None:
        peer.poll()
        peer.send_event("id-1")
        request = peer.answer("id-1")
        assert request.headers["content-type"] == HTTP
        assert request.body == b'{"statusCode": 418}' + b"\0" * 8 + b"tea"
        peer.reply(202)

    run(writes(("start_http", 418), ("write", "tea"), kind=kind), script)


@both
def test_an_error_in_the_middle_of_a_stream_is_in_its_trailers(kind):
    """E13."""

    def script(peer: Peer) -> None:
        peer.poll()
        peer.send_event("id-1")
        request = peer.answer("id-1")
        assert request.body == b"begun"
        assert request.trailers["lambda-runtime-function-error-type"] == "Function.KeyError"
        error = json.loads(base64.b64decode(request.trailers["lambda-runtime-function-error-body"], validate=True))
        assert (error["errorType"], error["errorMessage"], error["requestId"]) == ("KeyError", "'table'", "id-1")
        assert error["stackTrace"]
        peer.reply(202)

    run(writes(("write", "begun"), ("raise", KeyError("table")), kind=kind), script)


@both
def test_an_error_before_the_first_byte_is_an_error_with_its_cause_for_x_ray(kind):
    """E12."""

    def script(peer: Peer) -> None:
        peer.poll()
        peer.send_event("id-1")
        request = peer.answer("id-1", "error")
        assert request.headers["lambda-runtime-function-error-type"] == "Function.KeyError"
        assert request.headers["content-type"] == "application/json"
        cause = json.loads(request.headers["lambda-runtime-function-xray-error-cause"])
        assert cause["exceptions"][0]["type"] == "KeyError"
        assert json.loads(request.body)["errorMessage"] == "'table'"
        peer.reply(202)

    run(writes(("raise", KeyError("table")), kind=kind), script)


@both
def test_the_attempt_is_echoed_with_every_kind_of_answer(kind):
    def script(peer: Peer) -> None:
        peer.poll()
        peer.send_event("id-1", b'"whole"', {"Lambda-Runtime-Invocation-Id": "attempt-1"})
        assert peer.answer("id-1").headers["lambda-runtime-invocation-id"] == "attempt-1"
        peer.reply(202)
        peer.poll()
        peer.send_event("id-2", b'"error"', {"Lambda-Runtime-Invocation-Id": "attempt-2"})
        assert peer.answer("id-2", "error").headers["lambda-runtime-invocation-id"] == "attempt-2"
        peer.reply(202)
        peer.poll()
        peer.send_event("id-3", b'"stream"', {"Lambda-Runtime-Invocation-Id": "attempt-3"})
        assert peer.answer("id-3").headers["lambda-runtime-invocation-id"] == "attempt-3"
        peer.reply(202)

    def blocking(event, response: ResponseStream, context):
        if event == "error":
            raise KeyError(event)
        response.write(event) if event == "stream" else response.finish(event)

    async def asynchronous(event, response: ResponseStream, context):
        blocking(event, response, context)

    run(blocking if kind == "def" else asynchronous, script)


@both
def test_a_poll_follows_background_work_and_not_the_answer(kind):
    gate = threading.Event()

    def script(peer: Peer) -> None:
        peer.poll()
        peer.send_event("id-1")
        assert peer.answer("id-1").body == b"1"
        peer.reply(202)
        peer.sock.settimeout(0.1)
        with pytest.raises(TimeoutError):
            peer.take(1)
        peer.sock.settimeout(PATIENCE)
        gate.set()
        peer.poll()
        peer.send_event("id-2")
        peer.answer("id-2")
        peer.reply(202)

    def blocking(event, response: ResponseWriter[int], context):
        response.write(1)
        assert gate.wait(PATIENCE)

    async def asynchronous(event, response: ResponseWriter[int], context):
        import asyncio

        await response.write(1)
        assert await asyncio.to_thread(gate.wait, PATIENCE)

    run(blocking if kind == "def" else asynchronous, script)


# Metadata that is not there (E21)


@both
@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({"Lambda-Runtime-Deadline-Ms": ""}, "the event has no Lambda-Runtime-Deadline-Ms header"),
        ({"Lambda-Runtime-Deadline-Ms": "soon"}, "Lambda-Runtime-Deadline-Ms is not a number of milliseconds: 'soon'"),
        ({"Lambda-Runtime-Invoked-Function-Arn": ""}, "the event has no Lambda-Runtime-Invoked-Function-Arn header"),
        ({"Lambda-Runtime-Client-Context": "{"}, "Unable to parse Client Context JSON"),
        ({"Lambda-Runtime-Cognito-Identity": "[]"}, "Unable to parse Cognito Identity JSON"),
    ],
)
def test_metadata_that_cannot_be_read_is_an_error_of_the_invocation(kind, headers, message):
    """E21."""

    def script(peer: Peer) -> None:
        peer.poll()
        peer.send_event("id-1", headers=headers)
        error = json.loads(peer.answer("id-1", "error").body)
        assert error["errorType"] == "Runtime.LambdaContextUnmarshalError"
        assert error["errorMessage"].startswith(message)
        peer.reply(202)
        peer.poll()
        peer.send_event("id-2")
        assert peer.answer("id-2").body == b"ok"
        peer.reply(202)

    run(writes(("finish", "ok"), kind=kind), script)


@both
def test_an_event_without_an_id_cannot_be_answered_and_is_polled_for_again(kind, caplog):
    """E21."""

    def serve(server: ScriptedServer) -> None:
        try:
            first = server.accept()
            first.poll()
            first.send_event("")
            assert first.rest() == b""
            second = server.accept()
            second.poll()
            second.send_event("id-2")
            assert second.answer("id-2").body == b"ok"
            second.reply(202)
        finally:
            server.stop_client()

    with ScriptedServer(serve) as server:
        runtime = LambdaRuntime(
            writes(("finish", "ok"), kind=kind), settings=Settings({"AWS_LAMBDA_RUNTIME_API": server.address})
        )
        server.stop_client = runtime.stop
        runtime.run()
    assert [record for record in caplog.records if record.levelno >= logging.CRITICAL] == []


# Connections that break


@both
def test_a_stream_that_cannot_begin_is_an_error_on_the_next_connection(kind):
    """E31: the connection was reset while the handler worked."""
    gate = threading.Event()

    def serve(server: ScriptedServer) -> None:
        try:
            first = server.accept()
            first.poll()
            first.send_event("id-1")
            first.reset()
            gate.set()
            second = server.accept()
            request = second.request()
            assert request.path.startswith("/2018-06-01/runtime/invocation/id-1/")
            second.reply(202)
        finally:
            server.stop_client()

    def blocking(event, response: ResponseStream, context):
        assert gate.wait(PATIENCE)
        response.write(b"begun")

    async def asynchronous(event, response: ResponseStream, context):
        import asyncio

        assert await asyncio.to_thread(gate.wait, PATIENCE)
        await response.write(b"begun")

    with ScriptedServer(serve) as server:
        runtime = LambdaRuntime(
            blocking if kind == "def" else asynchronous, settings=Settings({"AWS_LAMBDA_RUNTIME_API": server.address})
        )
        server.stop_client = runtime.stop
        runtime.run()


@both
def test_a_stream_that_breaks_is_told_in_one_line_and_the_next_event_comes(kind, caplog):
    gate = threading.Event()

    def serve(server: ScriptedServer) -> None:
        try:
            first = server.accept()
            first.poll()
            first.send_event("id-1", b"1")
            first.head()
            assert first.chunk() == b"begun"
            first.reset()
            gate.set()
            second = server.accept()
            second.poll()
            second.send_event("id-2", b"0")
            assert second.answer("id-2").body == b"short"
            second.reply(202)
        finally:
            server.stop_client()

    def blocking(event, response: ResponseStream, context):
        response.write(b"begun" if event else b"short")
        while event:
            assert gate.wait(PATIENCE)
            response.write(b"more")

    async def asynchronous(event, response: ResponseStream, context):
        import asyncio

        await response.write(b"begun" if event else b"short")
        while event:
            assert await asyncio.to_thread(gate.wait, PATIENCE)
            await response.write(b"more")

    with ScriptedServer(serve) as server:
        runtime = LambdaRuntime(
            blocking if kind == "def" else asynchronous, settings=Settings({"AWS_LAMBDA_RUNTIME_API": server.address})
        )
        server.stop_client = runtime.stop
        runtime.run()
    lost = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(lost) == 1
    assert lost[0].startswith("the stream could not be sent to its end")


@both
@pytest.mark.parametrize("ending", ["left open", "finish", "raise"])
def test_a_stream_that_is_refused_at_its_end_is_told_in_one_line_and_the_next_event_comes(kind, ending, caplog):
    def serve(server: ScriptedServer) -> None:
        try:
            first = server.accept()
            first.poll()
            first.send_event("id-1")
            first.answer("id-1")
            first.reply(413, "RequestEntityTooLarge", close=True)
            second = server.accept()
            second.poll()
            second.send_event("id-2")
            second.answer("id-2")
            second.reply(202)
        finally:
            server.stop_client()

    steps: list[Any] = [("write", b"begun")]
    if ending != "left open":
        steps.append(("raise", KeyError("table")) if ending == "raise" else ("finish",))
    with ScriptedServer(serve) as server:
        runtime = LambdaRuntime(
            writes(*steps, kind=kind), settings=Settings({"AWS_LAMBDA_RUNTIME_API": server.address})
        )
        server.stop_client = runtime.stop
        runtime.run()
    lost = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert lost == ["the stream could not be sent to its end: 413 RequestEntityTooLarge: because"]


@both
def test_a_handler_that_exits_has_its_answer_taken_before_the_process_ends(kind):
    """Also when the connection breaks under it."""

    def serve(server: ScriptedServer) -> None:
        first = server.accept()
        first.poll()
        first.send_event("id-1")
        first.answer("id-1", "error")
        first.reset()
        second = server.accept()
        assert json.loads(second.answer("id-1", "error").body)["errorType"] == "SystemExit"
        second.reply(202)
        assert second.rest() == b""  # and it does not poll again

    with ScriptedServer(serve) as server:
        runtime = LambdaRuntime(
            writes(("raise", SystemExit(5)), kind=kind), settings=Settings({"AWS_LAMBDA_RUNTIME_API": server.address})
        )
        with pytest.raises(SystemExit) as caught:
            runtime.run()
    assert caught.value.code == 5


# The internal extension


class Lifespan:
    def __enter__(self):
        pass

    def __exit__(self, *outcome):
        pass


@both
@pytest.mark.parametrize("refusal", ["403", "404", "no identifier", "gone"])
def test_an_extension_that_is_not_registered_asks_for_nothing_more(kind, refusal, caplog):
    def serve(server: ScriptedServer) -> None:
        try:
            extension = server.accept()
            request = extension.request()
            assert (request.method, request.path) == ("POST", "/2020-01-01/extension/register")
            assert request.headers["lambda-extension-name"] == "polylambda"
            assert json.loads(request.body) == {"events": []}
            if refusal == "gone":
                extension.reset()
            else:
                extension.reply(200 if refusal == "no identifier" else int(refusal), "Extension.Refused")
                assert extension.rest() == b""
            peer = server.accept()
            peer.poll()
            peer.send_event("id-1")
            peer.answer("id-1")
            peer.reply(202)
        finally:
            server.stop_client()

    with ScriptedServer(serve) as server:
        runtime = LambdaRuntime(
            writes(("finish", "ok"), kind=kind),
            lifespan=Lifespan,
            settings=Settings({"AWS_LAMBDA_RUNTIME_API": server.address}),
        )
        server.stop_client = runtime.stop
        runtime.run()
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
