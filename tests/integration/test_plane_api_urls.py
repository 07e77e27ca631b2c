"""Function URLs, and what else is mounted beside the API, over real sockets."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from polylambda.local.exchange import Receive, Scope, Send
from polylambda.plane.sigv4 import Credentials
from polylambda.server.broker import Invocation, Outcome, Response
from tests.plane_api import Reply, ServedApi, served_api

URLS = "/2021-10-31/functions/f/url"
PRELUDE = b'{"statusCode": 201, "headers": {"x-a": "b"}, "cookies": ["c=d"]}' + b"\0" * 8


async def admin(scope: Scope, receive: Receive, send: Send) -> None:
    body = scope["path"].encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture
def served(tmp_path: Path) -> Iterator[ServedApi]:
    with served_api(tmp_path, admin=admin) as served:
        yield served


def make_url(served: ServedApi, **members: Any) -> str:
    """Give a published function a URL; return its host name."""
    if served.store.version("f", "$LATEST") is None:
        served.make_published()
    reply = served.request("POST", URLS, {"AuthType": "NONE", **members})
    assert reply.status == 201, reply.body
    return urlsplit(reply.json["FunctionUrl"]).netloc


def answer(body: bytes, *, content_type: str = "application/json", streamed: bool = False) -> Any:
    def write(invocation: Invocation, response: Response) -> None:
        response.begin(content_type, streamed=streamed)
        for start in range(0, len(body), 20):
            response.feed(body[start : start + 20])
        response.end(Outcome.SUCCESS)

    return write


def fail(*, streamed: bool = False) -> Callable[[Invocation, Response], None]:
    def write(invocation: Invocation, response: Response) -> None:
        response.begin("application/json", streamed=streamed)
        response.end(Outcome.ERROR, "Function.Error", b"{}")

    return write


def told(reply: Reply) -> Any:
    return reply.json["event"]


class TestBuffered:
    def test_event(self, served: ServedApi):
        host = make_url(served)
        reply = served.request("POST", "/a%20b/c?x=1&x=2", b"hello", {"content-type": "text/plain"}, host)
        event = told(reply)
        assert (event["rawPath"], event["rawQueryString"], event["body"]) == ("/a%20b/c", "x=1&x=2", "hello")
        assert event["requestContext"]["apiId"] == host.partition(".")[0]
        assert event["requestContext"]["accountId"] == "anonymous"
        assert event["headers"]["host"] == host
        assert reply.json["version"] == "$LATEST.PUBLISHED"
        assert reply.json["id"] == event["requestContext"]["requestId"]

    def test_by_path(self, served: ServedApi):
        url_id = make_url(served).partition(".")[0]
        assert told(served.request("GET", f"/url/{url_id}/a/b?c=d"))["rawPath"] == "/a/b"
        assert told(served.request("GET", f"/url/{url_id}"))["rawPath"] == "/"

    def test_response_that_the_result_describes(self, served: ServedApi):
        host = make_url(served)
        result = {"statusCode": 418, "headers": {"X-A": "b"}, "cookies": ["c=d", "e=f"], "body": "hi"}
        served.control.answers = answer(json.dumps(result).encode())
        reply = served.request("GET", "/", host=host)
        assert (reply.status, reply.body, reply.headers["x-a"]) == (418, b"hi", "b")
        assert reply.headers.get_all("set-cookie") == ["c=d", "e=f"]

    def test_stream_with_a_prelude_in_one_piece(self, served: ServedApi):
        host = make_url(served)
        served.control.answers = answer(
            PRELUDE + b"body", content_type="application/vnd.awslambda.http-integration-response", streamed=True
        )
        reply = served.request("GET", "/", host=host)
        assert (reply.status, reply.body, reply.headers["x-a"]) == (201, b"body", "b")

    @pytest.mark.parametrize("broken", [fail(), answer(b"nope"), answer(b'{"statusCode": 99}')])
    def test_failures(self, served: ServedApi, broken: Any):
        host = make_url(served)
        served.control.answers = broken
        reply = served.request("GET", "/", host=host)
        assert (reply.status, reply.body) == (502, b"Internal Server Error")

    def test_throttled(self, served: ServedApi):
        host = make_url(served)
        served.request("PUT", "/2017-10-31/functions/f/concurrency", {"ReservedConcurrentExecutions": 0})
        reply = served.request("GET", "/", host=host)
        assert (reply.status, reply.headers["retry-after"]) == (429, "1")

    def test_too_large(self, served: ServedApi):
        host = make_url(served)
        assert served.request("POST", "/", b"x" * 6_300_000, host=host).status == 413

    def test_nothing_published(self, served: ServedApi):
        served.make_provider()
        served.make_function()
        host = make_url(served)
        assert served.request("GET", "/", host=host).status == 502

    def test_unknown(self, served: ServedApi):
        assert served.request("GET", "/", host=f"{'a' * 32}.lambda-url.us-east-1.localhost").status == 403

    def test_alias(self, served: ServedApi):
        served.make_published()
        served.request(
            "POST", "/2015-03-31/functions/f/aliases", {"Name": "live", "FunctionVersion": "$LATEST.PUBLISHED"}
        )
        reply = served.request("POST", f"{URLS}?Qualifier=live", {"AuthType": "NONE"})
        host = urlsplit(reply.json["FunctionUrl"]).netloc
        assert served.request("GET", "/", host=host).json["arn"].endswith(":f:live")


class TestStreamed:
    def test_prelude(self, served: ServedApi):
        host = make_url(served, InvokeMode="RESPONSE_STREAM", Cors={"AllowOrigins": ["*"]})
        served.control.answers = answer(
            PRELUDE + b"body", content_type="application/vnd.awslambda.http-integration-response", streamed=True
        )
        reply = served.request("GET", "/", host=host, headers={"origin": "https://a"})
        assert (reply.status, reply.body, reply.headers["set-cookie"]) == (201, b"body", "c=d")
        assert reply.headers["access-control-allow-origin"] == "*"

    def test_without_prelude(self, served: ServedApi):
        host = make_url(served, InvokeMode="RESPONSE_STREAM")
        served.control.answers = answer(b"x" * 100, content_type="text/plain", streamed=True)
        reply = served.request("GET", "/", host=host)
        assert (reply.status, reply.body, reply.headers["content-type"]) == (200, b"x" * 100, "text/plain")

    def test_result_is_not_interpreted(self, served: ServedApi):
        host = make_url(served, InvokeMode="RESPONSE_STREAM")
        served.control.answers = answer(b'{"statusCode": 404}')
        reply = served.request("GET", "/", host=host)
        assert (reply.status, reply.body) == (200, b'{"statusCode": 404}')

    @pytest.mark.parametrize("streamed", [True, False])
    def test_failure(self, served: ServedApi, streamed: bool):
        host = make_url(served, InvokeMode="RESPONSE_STREAM")
        served.control.answers = fail(streamed=streamed)
        assert served.request("GET", "/", host=host).status == 502

    def test_bad_prelude(self, served: ServedApi):
        host = make_url(served, InvokeMode="RESPONSE_STREAM")
        content_type = "application/vnd.awslambda.http-integration-response"
        served.control.answers = answer(b"no prelude" + b"\0" * 8, content_type=content_type, streamed=True)
        assert served.request("GET", "/", host=host).status == 502


class TestIam:
    def test_any_signature_on_this_machine(self, served: ServedApi):
        host = make_url(served, AuthType="AWS_IAM")
        reply = served.request("GET", "/", host=host)
        assert (reply.status, reply.json) == (403, {"Message": "Forbidden"})
        signed = {"authorization": "AWS4-HMAC-SHA256 Credential=AKID/20260101/us-east-1/lambda/aws4_request"}
        context = told(served.request("GET", "/", headers=signed, host=host))["requestContext"]
        assert context["authorizer"]["iam"]["accessKey"] == "AKID"
        assert context["accountId"] == "123456789012"

    def test_public_url_of_a_plane_with_credentials(self, tmp_path: Path):
        with served_api(tmp_path) as served:
            host = make_url(served)
            served.request("PUT", f"{URLS}", {"AuthType": "NONE"})
        with served_api(tmp_path, credentials=Credentials({"A": "b"})) as served:
            served.control.answers = answer(b'"hello"')
            served.control.seen.update(f"{one.arn} {one.generation}" for one in served.store.versions())
            assert served.request("GET", "/", host=host).body == b'"hello"'
            assert served.request("GET", "/2015-03-31/functions").status == 403


CORS = {"AllowOrigins": ["https://a"], "AllowMethods": ["PUT"], "MaxAge": 9}


class TestCors:
    def test_preflight(self, served: ServedApi):
        host = make_url(served, Cors=CORS)
        asked = {"origin": "https://a", "access-control-request-method": "PUT"}
        reply = served.request("OPTIONS", "/", headers=asked, host=host)
        assert (reply.status, reply.headers["access-control-allow-methods"]) == (200, "PUT")
        assert served.control.tails == []

    def test_others(self, served: ServedApi):
        host = make_url(served, Cors=CORS)
        reply = served.request("PUT", "/", headers={"origin": "https://a"}, host=host)
        assert reply.headers["access-control-allow-origin"] == "https://a"
        reply = served.request("PUT", "/", headers={"origin": "https://b"}, host=host)
        assert (reply.status, reply.headers["access-control-allow-origin"]) == (200, None)


class TestAdmin:
    @pytest.mark.parametrize("path", ["/metrics", "/polylambda/fleet"])
    def test_mounted(self, served: ServedApi, path: str):
        assert served.request("GET", path).body == path.encode()
        assert served.request("GET", path, headers={"origin": "https://evil.example"}).status == 403


def test_function_urls_have_all_paths(served: ServedApi):
    host = make_url(served)
    for path in ("/metrics", "/polylambda/fleet", "/2015-03-31/functions", "/code/x", f"/url/{'a' * 32}/b"):
        assert told(served.request("GET", path, host=host))["rawPath"] == path


def test_what_was_made_is_there_after_another_start(tmp_path: Path):
    with served_api(tmp_path) as served:
        host = make_url(served)
        before = served.request("GET", "/2015-03-31/functions").json
    with served_api(tmp_path) as served:
        assert served.request("GET", "/2015-03-31/functions").json == before
        served.control.seen.update(f"{one.arn} {one.generation}" for one in served.store.versions())
        assert served.invoke({"a": 1}).json["event"] == {"a": 1}
        assert told(served.request("GET", "/x", host=host))["rawPath"] == "/x"
