"""The local server's application, called as ASGI; a function made of plain Python answers."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from polylambda.local.app import LocalApp
from polylambda.local.function import Function, Run
from polylambda.rapi.headers import HTTP_INTEGRATION, MAX_PAYLOAD
from polylambda.server.broker import Invocation, Outcome, Response
from polylambda.server.errors import BrokerClosed, QueueFull
from polylambda.server.function import FunctionConfiguration
from tests.unit.eventstream_decoder import decoded

INVOKE = "/2015-03-31/functions/function/invocations"
INVOKE_WITH_RESPONSE_STREAM = "/2021-11-15/functions/function/response-streaming-invocations"

Behaviour = Callable[[Invocation], Awaitable[Response]]


def result(
    body: bytes,
    *,
    content_type: str = "application/json",
    streamed: bool = False,
    outcome: Outcome = Outcome.SUCCESS,
    error_type: str | None = None,
    error_body: bytes = b"",
) -> Behaviour:
    async def behave(invocation: Invocation) -> Response:
        response = Response(invocation.request_id)
        response.begin(content_type, streamed=streamed)
        response.feed(body)
        response.end(outcome, error_type, error_body)
        return response

    return behave


def failure(outcome: Outcome = Outcome.ERROR) -> Behaviour:
    return result(b'{"errorType":"Oops"}', outcome=outcome, error_type="Function.Oops")


async def echo(invocation: Invocation) -> Response:
    return await result(invocation.payload)(invocation)


def refused(error: Exception) -> Behaviour:
    async def behave(invocation: Invocation) -> Response:
        raise error

    return behave


@dataclass
class Reply:
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    pieces: list[bytes] = field(default_factory=list)
    complete: bool = False

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def events(self) -> list[tuple[str, bytes]]:
        return [(headers[":event-type"], payload) for headers, payload in decoded(self.body)]


class Server:
    """An application around one behaviour, and what it told whom."""

    def __init__(self, behaviour: Behaviour, limit: int = 100) -> None:
        self.behaviour = behaviour
        self.invocations: list[Invocation] = []
        self.runs: list[Run] = []
        self.defects: list[Exception] = []
        self.gone = asyncio.Event()
        self.unread: list[dict[str, Any]] = []
        self.on_piece: Callable[[bytes], None] = lambda _: None
        self.function = Function(FunctionConfiguration(), self, timeout=3, limit=limit, on_end=self.runs.append)

    async def invoke(self, invocation: Invocation) -> Response:
        self.invocations.append(invocation)
        return await self.behaviour(invocation)

    async def call(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None, query: str = ""
    ) -> Reply:
        reply = Reply()
        done = asyncio.Event()
        request = self.unread = [{"type": "http.request", "body": body[:10], "more_body": True}]
        request.append({"type": "http.request", "body": body[10:], "more_body": False})

        async def receive() -> Any:
            if request:
                return request.pop(0)
            waiters = {asyncio.ensure_future(done.wait()), asyncio.ensure_future(self.gone.wait())}
            try:
                await asyncio.wait(waiters, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for waiter in waiters:
                    waiter.cancel()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                assert not reply.status
                reply.status = message["status"]
                reply.headers = {name.decode(): value.decode("latin-1") for name, value in message["headers"]}
            else:
                assert reply.status
                assert not reply.complete
                reply.pieces.append(message["body"])
                self.on_piece(message["body"])
                if not message["more_body"]:
                    reply.complete = True
                    done.set()

        scope = {
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in (headers or {}).items()],
            "http_version": "1.1",
            "client": ("1.2.3.4", 5),
        }
        async with asyncio.TaskGroup() as background:
            app = LocalApp(self.function, background, endpoint="/invoke", on_defect=self.defects.append)
            await app(scope, receive, send)
        return reply


def call(behaviour: Behaviour, method: str, path: str, *args: Any, **kwargs: Any) -> tuple[Reply, Server]:
    async def main() -> tuple[Reply, Server]:
        server = Server(behaviour)
        return await server.call(method, path, *args, **kwargs), server

    return asyncio.run(main())


class TestInvocationEndpoint:
    def test_result_is_the_body(self):
        reply, server = call(echo, "POST", "/invoke", b'{"a": 1}', {"content-type": "application/json"})
        assert (reply.status, reply.body, reply.complete) == (200, b'{"a": 1}', True)
        assert reply.headers["content-type"] == "application/json"
        assert reply.headers["x-amzn-requestid"] == server.invocations[0].request_id
        assert server.runs[0].label == "POST /invoke"

    def test_query_string_is_accepted(self):
        assert call(echo, "POST", "/invoke", b"{}", query="a=1")[0].status == 200

    def test_empty_body(self):
        reply, server = call(echo, "POST", "/invoke")
        assert (reply.status, server.invocations) == (400, [])

    @pytest.mark.parametrize("method", ["GET", "PUT", "HEAD", "DELETE"])
    def test_other_methods(self, method: str):
        reply, server = call(echo, method, "/invoke", b"{}")
        assert (reply.status, reply.headers["allow"], server.invocations) == (405, "POST", [])

    @pytest.mark.parametrize("outcome", [Outcome.ERROR, Outcome.TIMEOUT, Outcome.FAILURE])
    def test_error_of_the_function(self, outcome: Outcome):
        reply, _ = call(failure(outcome), "POST", "/invoke", b"{}")
        assert (reply.status, reply.json) == (500, {"errorType": "Oops"})
        assert reply.headers["x-amz-function-error"] == "Unhandled"

    def test_too_large(self):
        reply, server = call(echo, "POST", "/invoke", b" " * (MAX_PAYLOAD + 1))
        assert (reply.status, server.invocations) == (413, [])

    def test_queue_full(self):
        reply, server = call(refused(QueueFull("all busy")), "POST", "/invoke", b"{}")
        assert (reply.status, reply.headers["retry-after"], server.runs[0].note) == (429, "1", "all busy")

    def test_environment_gone(self):
        assert call(refused(BrokerClosed("shut down")), "POST", "/invoke", b"{}")[0].status == 500

    @pytest.mark.parametrize(
        ("sent", "body", "seen"),
        [
            ("", b"{}", "application/json"),
            ("application/x-www-form-urlencoded", b'{"a": 1}', "application/json"),  # what curl -d says of JSON
            ("application/x-www-form-urlencoded", b"a=1", "application/x-www-form-urlencoded"),
            ("text/plain", b"{}", "text/plain"),
            ("", b"nonsense", "application/json"),
        ],
    )
    def test_content_type_of_the_event(self, sent: str, body: bytes, seen: str):
        _, server = call(echo, "POST", "/invoke", body, {"content-type": sent} if sent else {})
        assert server.invocations[0].content_type == seen

    def test_metadata_passes_through_except_the_request_id(self):
        context = base64.b64encode(b'{"custom": {}}').decode()
        headers = {
            "x-amz-tenant-id": "blue",
            "x-amz-client-context": context,
            "x-amzn-trace-id": "Root=1-2-3",
            "lambda-runtime-aws-request-id": "mine",
            "x-amzn-requestid": "mine",
        }
        _, server = call(echo, "POST", "/invoke", b"{}", headers)
        (invocation,) = server.invocations
        assert invocation.tenant_id == "blue"
        assert invocation.client_context == '{"custom": {}}'
        assert invocation.trace_id == "Root=1-2-3"
        assert invocation.request_id != "mine"


class TestStreams:
    """The same for both plain ways in."""

    PATHS = pytest.mark.parametrize("path", ["/invoke", "/somewhere"])
    PRELUDE = b'{"statusCode":201,"headers":{"x-a":"b"},"cookies":["c=1"]}' + b"\0" * 8

    @PATHS
    def test_prelude_is_applied(self, path: str):
        behaviour = result(self.PRELUDE + b"body", content_type=HTTP_INTEGRATION, streamed=True)
        reply, _ = call(behaviour, "POST", path, b"{}")
        assert (reply.status, reply.headers["x-a"], reply.headers["set-cookie"]) == (201, "b", "c=1")
        assert (reply.body, reply.complete) == (b"body", True)

    @PATHS
    def test_prelude_of_a_buffered_response_is_applied(self, path: str):
        reply, _ = call(result(self.PRELUDE + b"body", content_type=HTTP_INTEGRATION), "POST", path, b"{}")
        assert (reply.status, reply.body) == (201, b"body")

    @PATHS
    def test_no_prelude(self, path: str):
        reply, _ = call(result(b"abc", content_type="text/event-stream", streamed=True), "POST", path, b"{}")
        assert (reply.status, reply.body, reply.headers["content-type"]) == (200, b"abc", "text/event-stream")

    @PATHS
    def test_status_dicts_mean_nothing_in_a_stream(self, path: str):
        reply, _ = call(result(b'{"statusCode":404}', streamed=True), "POST", path, b"{}")
        assert (reply.status, reply.body) == (200, b'{"statusCode":404}')

    @PATHS
    def test_empty_stream(self, path: str):
        reply, _ = call(result(b"", content_type="text/plain", streamed=True), "POST", path, b"{}")
        assert (reply.status, reply.body, reply.complete) == (200, b"", True)

    @PATHS
    def test_stream_that_breaks_off_is_not_completed(self, path: str):
        behaviour = result(
            b"abc", streamed=True, outcome=Outcome.ERROR, error_type="Function.Oops", error_body=b'{"errorType":"Oops"}'
        )
        reply, server = call(behaviour, "POST", path, b"{}")
        assert (reply.status, reply.body, reply.complete) == (200, b"abc", False)
        assert server.runs[0].outcome is Outcome.ERROR

    @pytest.mark.parametrize("start", [b"", b'{"statusCode":'])
    def test_stream_that_breaks_off_before_its_first_byte_is_an_error(self, start: bytes):
        behaviour = result(
            start,
            content_type=HTTP_INTEGRATION,
            streamed=True,
            outcome=Outcome.ERROR,
            error_type="Function.Oops",
            error_body=b'{"errorType":"Oops"}',
        )
        reply, _ = call(behaviour, "POST", "/invoke", b"{}")
        assert (reply.status, reply.json, reply.complete) == (500, {"errorType": "Oops"}, True)
        reply, _ = call(behaviour, "POST", "/elsewhere", b"{}")
        assert (reply.status, reply.body, reply.complete) == (502, b"Internal Server Error", True)

    @PATHS
    def test_prelude_that_never_ends(self, path: str):
        reply, server = call(result(b"{}", content_type=HTTP_INTEGRATION, streamed=True), "POST", path, b"{}")
        assert reply.status == 502
        assert "prelude" in server.runs[0].note

    @PATHS
    def test_body_where_http_has_none(self, path: str):
        behaviour = result(b'{"statusCode":204}' + b"\0" * 8 + b"body", content_type=HTTP_INTEGRATION, streamed=True)
        reply, _ = call(behaviour, "POST", path, b"{}")
        assert (reply.status, reply.body, reply.complete) == (204, b"", True)

    @PATHS
    def test_chunks_arrive_while_the_function_still_runs(self, path: str):
        async def main() -> None:
            responses: list[Response] = []

            async def behave(invocation: Invocation) -> Response:
                response = Response(invocation.request_id)
                response.begin("text/plain", streamed=True)
                response.feed(b"one")
                responses.append(response)
                return response

            def go_on(piece: bytes) -> None:
                if piece == b"one":  # the caller has it
                    responses[0].feed(b"two")
                    responses[0].end(Outcome.SUCCESS)

            server = Server(behave)
            server.on_piece = go_on
            assert (await server.call("POST", path, b"{}")).pieces == [b"one", b"two", b""]

        asyncio.run(main())


class TestFunctionUrl:
    def test_request_is_the_event(self):
        reply, server = call(
            echo,
            "PUT",
            "/a/b",
            b"hi",
            {"content-type": "text/plain", "host": "h:1", "connection": "close"},
            query="x=1",
        )
        event = reply.json
        assert reply.status == 200
        assert event["requestContext"]["http"]["method"] == "PUT"
        assert (event["rawPath"], event["rawQueryString"], event["body"]) == ("/a/b", "x=1", "hi")
        assert "connection" not in event["headers"]
        assert event["requestContext"]["requestId"] == server.invocations[0].request_id
        assert server.runs[0].label == "PUT /a/b"

    def test_result_describes_the_response(self):
        behaviour = result(b'{"statusCode":201,"body":"made","headers":{"content-type":"text/plain"}}')
        reply, _ = call(behaviour, "GET", "/")
        assert (reply.status, reply.body, reply.headers["content-length"]) == (201, b"made", "4")

    @pytest.mark.parametrize("outcome", [Outcome.ERROR, Outcome.TIMEOUT, Outcome.FAILURE])
    def test_failure_says_nothing(self, outcome: Outcome):
        reply, _ = call(failure(outcome), "GET", "/")
        assert (reply.status, reply.body) == (502, b"Internal Server Error")

    def test_nonsense_is_explained_to_the_developer_only(self):
        reply, server = call(result(b'{"statusCode":"abc"}'), "GET", "/")
        assert (reply.status, reply.body) == (502, b"Internal Server Error")
        assert "statusCode" in server.runs[0].note

    def test_queue_full(self):
        assert call(refused(QueueFull("busy")), "GET", "/")[0].status == 429

    def test_too_large(self):
        assert call(echo, "POST", "/", b" " * (MAX_PAYLOAD + 1))[0].status == 413


class TestInvoke:
    def test_request_response(self):
        reply, server = call(echo, "POST", INVOKE, b'{"a": 1}')
        assert (reply.status, reply.body) == (200, b'{"a": 1}')
        assert reply.headers["x-amz-executed-version"] == "$LATEST"
        assert reply.headers["x-amzn-requestid"] == server.invocations[0].request_id
        assert "x-amz-function-error" not in reply.headers
        assert "x-amz-log-result" not in reply.headers

    def test_no_payload_is_an_empty_object(self):
        assert call(echo, "POST", INVOKE)[0].body == b"{}"

    @pytest.mark.parametrize("payload", [b"nope", b"{", b"NaN", b"\xff", b"[" * 100_000])
    @pytest.mark.parametrize("kind", ["RequestResponse", "Event", "DryRun"])
    def test_what_is_not_json(self, payload: bytes, kind: str):
        reply, server = call(echo, "POST", INVOKE, payload, {"x-amz-invocation-type": kind})
        assert (reply.status, reply.headers["x-amzn-errortype"]) == (400, "InvalidRequestContentException")
        assert server.invocations == []

    @pytest.mark.parametrize("outcome", [Outcome.ERROR, Outcome.TIMEOUT, Outcome.FAILURE])
    def test_function_error(self, outcome: Outcome):
        reply, _ = call(failure(outcome), "POST", INVOKE, b"{}")
        assert (reply.status, reply.headers["x-amz-function-error"]) == (200, "Unhandled")
        assert reply.json == {"errorType": "Oops"}

    def test_stream_is_gathered(self):
        assert call(result(b"abc", streamed=True), "POST", INVOKE, b"{}")[0].body == b"abc"

    def test_stream_that_breaks_off_is_an_error(self):
        behaviour = result(b"abc", streamed=True, outcome=Outcome.ERROR, error_type="A.B", error_body=b'{"x":1}')
        reply, _ = call(behaviour, "POST", INVOKE, b"{}")
        assert (reply.headers["x-amz-function-error"], reply.body) == ("Unhandled", b'{"x":1}')

    def test_gathered_stream_may_be_too_large(self):
        reply, _ = call(result(b"a" * (MAX_PAYLOAD + 1), streamed=True), "POST", INVOKE, b"{}")
        assert reply.headers["x-amz-function-error"] == "Unhandled"
        assert reply.json["errorType"] == "Function.ResponseSizeTooLarge"

    def test_event_is_accepted_and_run(self):
        context = base64.b64encode(b"{}").decode()
        headers = {"x-amz-invocation-type": "Event", "x-amz-client-context": context}
        reply, server = call(echo, "POST", INVOKE, b'{"a": 1}', headers)
        assert (reply.status, reply.body) == (202, b"")
        assert server.runs[0].outcome is Outcome.SUCCESS
        assert server.invocations[0].client_context == ""

    def test_refused_event_is_told_to_the_developer(self):
        reply, server = call(refused(QueueFull("busy")), "POST", INVOKE, b"{}", {"x-amz-invocation-type": "Event"})
        assert (reply.status, server.runs[0].note) == (202, "busy")

    def test_dry_run_runs_nothing(self):
        reply, server = call(echo, "POST", INVOKE, b"{}", {"x-amz-invocation-type": "DryRun"})
        assert (reply.status, reply.body, server.invocations) == (204, b"", [])

    def test_throttled(self):
        reply, _ = call(refused(QueueFull("busy")), "POST", INVOKE, b"{}")
        assert (reply.status, reply.headers["x-amzn-errortype"]) == (429, "TooManyRequestsException")
        assert reply.json["Reason"] == "ConcurrentInvocationLimitExceeded"
        assert reply.headers["retry-after"] == "1"

    @pytest.mark.parametrize(("kind", "limit"), [("RequestResponse", MAX_PAYLOAD), ("Event", 1024 * 1024)])
    def test_size_limits(self, kind: str, limit: int):
        headers = {"x-amz-invocation-type": kind}
        too_large, server = call(echo, "POST", INVOKE, b'"' + b"a" * (limit - 1) + b'"', headers)
        assert (too_large.status, too_large.headers["x-amzn-errortype"]) == (413, "RequestTooLargeException")
        assert server.invocations == []
        assert call(echo, "POST", INVOKE, b'"' + b"a" * (limit - 2) + b'"', headers)[0].status < 300

    @pytest.mark.parametrize("header", ["x-amz-invocation-type", "x-amz-log-type"])
    def test_choices(self, header: str):
        reply, _ = call(echo, "POST", INVOKE, b"{}", {header: "Sometimes"})
        assert (reply.status, reply.headers["x-amzn-errortype"]) == (400, "InvalidParameterValueException")

    @pytest.mark.parametrize("context", ["%%%", base64.b64encode(b"[]").decode(), base64.b64encode(b"{").decode()])
    def test_malformed_client_context(self, context: str):
        reply, server = call(echo, "POST", INVOKE, b"{}", {"x-amz-client-context": context})
        assert (reply.status, reply.headers["x-amzn-errortype"]) == (400, "InvalidRequestContentException")
        assert server.invocations == []

    def test_client_context_has_a_limit(self):
        context = base64.b64encode(b'{"custom": "' + b"x" * 2800 + b'"}').decode()
        assert call(echo, "POST", INVOKE, b"{}", {"x-amz-client-context": context})[0].status == 400

    @pytest.mark.parametrize("tenant", ["a b/c@d", "x" * 256])
    def test_tenant_id(self, tenant: str):
        _, server = call(echo, "POST", INVOKE, b"{}", {"x-amz-tenant-id": tenant})
        assert server.invocations[0].tenant_id == tenant

    @pytest.mark.parametrize("tenant", ["a|b", "x" * 257])
    def test_malformed_tenant_id(self, tenant: str):
        reply, _ = call(echo, "POST", INVOKE, b"{}", {"x-amz-tenant-id": tenant})
        assert (reply.status, reply.headers["x-amzn-errortype"]) == (400, "InvalidParameterValueException")

    def test_log_tail(self):
        async def main() -> Reply:
            async def behave(invocation: Invocation) -> Response:
                server.function.log_tail.add(b"hello from the function")
                return await echo(invocation)

            server = Server(behave)
            return await server.call("POST", INVOKE, b"{}", {"x-amz-log-type": "Tail"})

        log = base64.b64decode(asyncio.run(main()).headers["x-amz-log-result"]).decode()
        lines = log.splitlines()
        assert lines[0].startswith("START RequestId: ")
        assert lines[1] == "hello from the function"
        assert lines[3].startswith("REPORT RequestId: ")

    def test_unknown_function(self):
        reply, server = call(echo, "POST", INVOKE.replace("function/", "other/"), b"{}")
        assert (reply.status, reply.headers["x-amzn-errortype"]) == (404, "ResourceNotFoundException")
        assert "arn:aws:lambda:us-east-1:123456789012:function:other" in reply.json["Message"]
        assert server.invocations == []

    def test_qualifier(self):
        reply, server = call(echo, "POST", INVOKE, b"{}", query="Qualifier=7")
        assert reply.headers["x-amz-executed-version"] == "7"
        assert server.invocations[0].invoked_function_arn.endswith(":function:function:7")

    @pytest.mark.parametrize(
        ("method", "path"), [("GET", INVOKE), ("GET", "/2015-03-31/functions/"), ("POST", "/2015-03-31/functions")]
    )
    def test_the_rest_of_the_api_is_not_here(self, method: str, path: str):
        reply, server = call(echo, method, path, b"{}")
        assert (reply.status, reply.headers["x-amzn-errortype"]) == (404, "UnknownOperationException")
        assert server.invocations == []

    def test_deprecated_invoke_async(self):
        reply, server = call(echo, "POST", "/2014-11-13/functions/function/invoke-async/", b"{}")
        assert (reply.status, len(server.runs)) == (202, 1)


class TestInvokeWithResponseStream:
    def test_chunks_and_end(self):
        reply, _ = call(result(b"abc", streamed=True), "POST", INVOKE_WITH_RESPONSE_STREAM, b"{}")
        assert reply.status == 200
        assert reply.headers["content-type"] == "application/vnd.amazon.eventstream"
        assert reply.headers["x-amz-executed-version"] == "$LATEST"
        assert reply.events == [("PayloadChunk", b"abc"), ("InvokeComplete", b"{}")]
        assert reply.complete

    def test_prelude_is_left_alone(self):
        body = b"{}" + b"\0" * 8 + b"x"
        behaviour = result(body, content_type=HTTP_INTEGRATION, streamed=True)
        assert call(behaviour, "POST", INVOKE_WITH_RESPONSE_STREAM, b"{}")[0].events[0] == ("PayloadChunk", body)

    def test_error_before_the_stream(self):
        reply, _ = call(failure(), "POST", INVOKE_WITH_RESPONSE_STREAM, b"{}")
        ((kind, payload),) = reply.events
        assert (reply.status, kind) == (200, "InvokeComplete")
        assert json.loads(payload) == {"ErrorCode": "Unhandled", "ErrorDetails": '{"errorType":"Oops"}'}

    def test_error_in_the_stream(self):
        behaviour = result(b"abc", streamed=True, outcome=Outcome.ERROR, error_type="Function.X", error_body=b"{}")
        reply, _ = call(behaviour, "POST", INVOKE_WITH_RESPONSE_STREAM, b"{}")
        assert reply.events[0] == ("PayloadChunk", b"abc")
        assert json.loads(reply.events[1][1]) == {"ErrorCode": "Function.X", "ErrorDetails": "{}"}
        assert reply.complete

    def test_log_tail(self):
        reply, _ = call(result(b"abc"), "POST", INVOKE_WITH_RESPONSE_STREAM, b"{}", {"x-amz-log-type": "Tail"})
        assert b"START" in base64.b64decode(json.loads(reply.events[-1][1])["LogResult"])

    def test_errors_before_the_run_are_http_errors(self):
        assert call(refused(QueueFull("busy")), "POST", INVOKE_WITH_RESPONSE_STREAM, b"{}")[0].status == 429
        assert call(echo, "POST", INVOKE_WITH_RESPONSE_STREAM, b"nope")[0].status == 400

    def test_dry_run(self):
        headers = {"x-amz-invocation-type": "DryRun"}
        reply, server = call(echo, "POST", INVOKE_WITH_RESPONSE_STREAM, b"{}", headers)
        assert (reply.status, server.invocations) == (204, [])


@pytest.mark.parametrize("path", ["/invoke", "/", INVOKE, INVOKE_WITH_RESPONSE_STREAM])
@pytest.mark.parametrize("stage", ["waiting", "streaming"])
def test_caller_who_hangs_up_cancels_his_invocation(path: str, stage: str):
    async def main() -> None:
        responses: list[Response] = []

        async def behave(invocation: Invocation) -> Response:
            response = Response(invocation.request_id)
            responses.append(response)
            if stage == "waiting":
                server.gone.set()
                try:
                    await response.wait_for_head()
                finally:
                    response.discard()
            response.begin("text/plain", streamed=True)
            response.feed(b"piece")
            server.gone.set()
            return response

        server = Server(behave)
        reply = await server.call("POST", path, b"{}")
        assert responses[0].abandoned
        assert not reply.complete
        assert server.runs[0].outcome is Outcome.PENDING
        assert server.defects == []

    asyncio.run(main())


def test_caller_who_hangs_up_while_sending():
    async def main() -> None:
        server = Server(echo)

        async def receive() -> Any:
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            raise AssertionError(message)

        async with asyncio.TaskGroup() as background:
            app = LocalApp(server.function, background, endpoint="/invoke", on_defect=server.defects.append)
            scope = {"method": "POST", "path": "/", "query_string": b"", "headers": [], "http_version": "1.1"}
            await app(scope, receive, send)
        assert server.invocations == []

    asyncio.run(main())


def test_defect_is_told_and_answered():
    reply, server = call(refused(RuntimeError("ours")), "POST", INVOKE, b"{}")
    assert (reply.status, reply.headers["x-amzn-errortype"]) == (500, "ServiceException")
    assert [str(error) for error in server.defects] == ["ours"]


def test_no_more_than_the_limit_are_under_way():
    async def main() -> None:
        both_run = asyncio.Event()
        release = asyncio.Event()

        async def behave(invocation: Invocation) -> Response:
            if len(server.invocations) == 2:
                both_run.set()
            await release.wait()
            return await echo(invocation)

        server = Server(behave, limit=2)
        under_way = [asyncio.ensure_future(server.call("POST", "/invoke", b"{}")) for _ in range(2)]
        await both_run.wait()
        assert server.function.busy
        assert (await server.call("POST", "/invoke", b"{}")).status == 429
        release.set()
        assert [(await one).status for one in under_way] == [200, 200]
        assert not server.function.busy
        assert (await server.call("POST", "/invoke", b"{}")).status == 200

    asyncio.run(main())


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("GET", "/invoke", {}),
        ("POST", "/2015-03-31/functions/", {}),
        ("POST", INVOKE, {"x-amz-invocation-type": "Sometimes"}),
    ],
)
def test_request_is_read_before_it_is_refused(method: str, path: str, headers: dict[str, str]):
    async def main() -> None:
        server = Server(echo)
        reply = await server.call(method, path, b"x" * 100, headers)
        assert reply.status >= 400
        assert server.unread == []

    asyncio.run(main())
