from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from polylambda.local.urls import Request, event, payload

NOW = 1583348638.390


def made(method: str = "GET", target: str = "/", **given: Any) -> dict[str, Any]:
    return event(Request(method=method, target=target, **given), request_id="id", now=NOW)


def test_whole_event():
    told = made(
        "POST",
        "/my/path",
        query="a=1&a=2&b=&c=%20x",
        headers=[
            ("Host", "127.0.0.1:7000"),
            ("Header1", "v1"),
            ("header1", "v2"),
            ("Cookie", "c1=v1; c2=v2"),
            ("User-Agent", "agent"),
            ("Content-Type", "application/json"),
        ],
        body=b'{"k": "\xc3\xa4"}',
        source_ip="1.2.3.4",
    )
    assert told == {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/my/path",
        "rawQueryString": "a=1&a=2&b=&c=%20x",
        "cookies": ["c1=v1", "c2=v2"],
        "headers": {
            "host": "127.0.0.1:7000",
            "header1": "v1,v2",
            "cookie": "c1=v1; c2=v2",
            "user-agent": "agent",
            "content-type": "application/json",
            "x-forwarded-for": "1.2.3.4",
            "x-forwarded-port": "7000",
            "x-forwarded-proto": "http",
        },
        "queryStringParameters": {"a": "1,2", "b": "", "c": " x"},
        "requestContext": {
            "accountId": "anonymous",
            "apiId": "local",
            "domainName": "127.0.0.1",
            "domainPrefix": "127",
            "http": {
                "method": "POST",
                "path": "/my/path",
                "protocol": "HTTP/1.1",
                "sourceIp": "1.2.3.4",
                "userAgent": "agent",
            },
            "requestId": "id",
            "routeKey": "$default",
            "stage": "$default",
            "time": "04/Mar/2020:19:03:58 +0000",
            "timeEpoch": 1583348638390,
        },
        "body": '{"k": "ä"}',
        "isBase64Encoded": False,
    }


def test_what_is_empty_is_absent():
    told = made()
    assert not {"cookies", "queryStringParameters", "body"} & told.keys()
    assert told["isBase64Encoded"] is False


def test_powertools_reads_it():
    from aws_lambda_powertools.utilities.parser.models import LambdaFunctionUrlModel

    read = LambdaFunctionUrlModel.model_validate(made("POST", "/a", headers=[("Host", "h")], body=b"x"))
    assert read.requestContext.http.method == "POST"


@pytest.mark.parametrize(
    ("content_type", "body", "is_text"),
    [
        ("text/plain; charset=utf-8", b"a", True),
        ("application/problem+json", b"{}", True),
        ("APPLICATION/JSON", b"{}", True),
        ("application/octet-stream", b"a", False),
        ("application/x-www-form-urlencoded", b"a=1", False),
        ("multipart/form-data; boundary=x", b"--x", False),
        ("image/png", b"\x89", False),
        ("text/plain", b"\xff", False),  # says it is text, but cannot be JSON text
        ("", b"a", False),
    ],
)
def test_body_is_text_or_base64(content_type: str, body: bytes, is_text: bool):
    told = made("POST", headers=[("Content-Type", content_type)] if content_type else [], body=body)
    assert told["isBase64Encoded"] is not is_text
    assert told["body"] == (body.decode() if is_text else base64.b64encode(body).decode())


def test_hop_by_hop_headers_stay_behind():
    told = made(
        headers=[
            ("Host", "h"),
            ("Connection", "close, X-Private"),
            ("X-Private", "1"),
            ("Keep-Alive", "timeout=5"),
            ("TE", "trailers"),
            ("Transfer-Encoding", "chunked"),
            ("Upgrade", "h2c"),
            ("X-Kept", "1"),
        ]
    )
    assert {name for name in told["headers"] if not name.startswith("x-forwarded-")} == {"host", "x-kept"}


def test_repeated_cookie_lines_become_one_list():
    told = made(headers=[("cookie", "a=1"), ("cookie", "b=2")])
    assert told["cookies"] == ["a=1", "b=2"]


@pytest.mark.parametrize(
    ("host", "domain", "port"),
    [("example.test", "example.test", "80"), ("[::1]:7000", "[::1]", "7000"), ("[::1]", "[::1]", "80")],
)
def test_domain_and_port(host: str, domain: str, port: str):
    told = made(headers=[("host", host)])
    assert (told["requestContext"]["domainName"], told["headers"]["x-forwarded-port"]) == (domain, port)


def test_path_stays_encoded():
    assert made(target="/a%2Fb%20c")["rawPath"] == "/a%2Fb%20c"


def test_payload_is_utf_8_json():
    data = payload(Request(method="GET", target="/", headers=[("x-a", "ü")]), request_id="id", now=NOW)
    assert json.loads(data)["headers"]["x-a"] == "ü"
    assert "ü".encode() in data
