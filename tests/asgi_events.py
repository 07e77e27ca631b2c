"""HTTP requests as AWS's event sources describe them, for tests of `polylambda.asgi`.

Written from the examples in AWS's documentation: function URLs and HTTP APIs
(https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html), REST APIs
(https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html), load balancers
(https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html).
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl, unquote

from polylambda.local import urls

Lines = Sequence[tuple[str, str]]
URL = "abc.lambda-url.eu-west-1.on.aws"


def url(
    target: str = "/", method: str = "GET", *, query: str = "", headers: Lines = (), body: bytes = b"", host: str = URL
) -> dict[str, Any]:
    """Of a function URL."""
    lines = [("host", host), *headers]
    request = urls.Request(method=method, target=target, query=query, headers=lines, body=body, source_ip="192.0.2.1")
    return urls.event(request, request_id="request", now=1_700_000_000)


def http_api(target: str = "/", method: str = "GET", **rest: Any) -> dict[str, Any]:
    """Of an HTTP API, payload format 2.0."""
    event = url(target, method, host="abc.execute-api.eu-west-1.amazonaws.com", **rest)
    event["routeKey"] = event["requestContext"]["routeKey"] = "ANY /{proxy+}"
    event["pathParameters"] = {"proxy": target.lstrip("/")}
    return event


def rest_api(
    target: str = "/", method: str = "GET", *, query: str = "", headers: Lines = (), body: bytes = b""
) -> dict[str, Any]:
    """Of a REST API, format 1.0."""
    lines = [("Host", "abc.execute-api.eu-west-1.amazonaws.com"), ("X-Forwarded-Proto", "https"), *headers]
    parameters = parse_qsl(query, keep_blank_values=True)
    return {
        "resource": "/{proxy+}",
        "path": target,
        "httpMethod": method,
        "headers": dict(lines),
        "multiValueHeaders": _lists(lines),
        "queryStringParameters": dict(parameters) or None,
        "multiValueQueryStringParameters": _lists(parameters) or None,
        "pathParameters": {"proxy": target.lstrip("/")},
        "stageVariables": None,
        "requestContext": {
            "resourcePath": "/{proxy+}",
            "httpMethod": method,
            "path": "/prod" + target,
            "protocol": "HTTP/1.1",
            "stage": "prod",
            "domainName": "abc.execute-api.eu-west-1.amazonaws.com",
            "requestId": "request",
            "identity": {"sourceIp": "192.0.2.1", "userAgent": "test"},
        },
        **_body(body),
    }


def http_api_1(target: str = "/", method: str = "GET", **rest: Any) -> dict[str, Any]:
    """Of an HTTP API, payload format 1.0."""
    return {"version": "1.0", **rest_api(target, method, **rest)}


def alb(
    target: str = "/", method: str = "GET", *, query: str = "", headers: Lines = (), body: bytes = b""
) -> dict[str, Any]:
    """Of an Application Load Balancer."""
    lines = [
        ("host", "lb.eu-west-1.elb.amazonaws.com"),
        ("x-forwarded-for", "203.0.113.9, 192.0.2.1"),
        ("x-forwarded-port", "443"),
        ("x-forwarded-proto", "https"),
        *((name.lower(), value) for name, value in headers),
    ]
    return {
        "requestContext": {"elb": {"targetGroupArn": "arn:aws:elasticloadbalancing:eu-west-1:123:targetgroup/f/1"}},
        "httpMethod": method,
        "path": target,
        "queryStringParameters": dict(_pairs(query)),
        "headers": dict(lines),
        **_body(body),
    }


def alb_multi(target: str = "/", method: str = "GET", **rest: Any) -> dict[str, Any]:
    """Of an Application Load Balancer whose target group has multi-value headers."""
    event = alb(target, method, **rest)
    lines = [*event.pop("headers").items()]
    own = [name for name, _ in lines][:4]
    lines = lines[:4] + [(name.lower(), value) for name, value in rest.get("headers", ()) if name.lower() not in own]
    del event["queryStringParameters"]
    event["multiValueHeaders"] = _lists(lines)
    event["multiValueQueryStringParameters"] = _lists(_pairs(rest.get("query", "")))
    return event


SOURCES = {each.__name__: each for each in (url, http_api, rest_api, http_api_1, alb, alb_multi)}


def body_of(answer: dict[str, Any]) -> bytes:
    """Return the body that a buffered answer describes."""
    body: str = answer["body"]
    return base64.b64decode(body) if answer["isBase64Encoded"] else body.encode()


def headers_of(answer: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the headers that a buffered answer describes, sorted."""
    lines = [(name.lower(), value) for name, value in (answer.get("headers") or {}).items()]
    for name, values in (answer.get("multiValueHeaders") or {}).items():
        lines += [(name, value) for value in values]
    return sorted(lines + [("set-cookie", value) for value in answer.get("cookies") or ()])


def _body(body: bytes) -> dict[str, Any]:
    if not body:
        return {"body": None, "isBase64Encoded": False}
    return {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}


def _pairs(query: str) -> list[tuple[str, str]]:
    """As a load balancer has them: still encoded."""
    return [(name, value) for name, _, value in (part.partition("=") for part in query.split("&") if part)]


def _lists(pairs: Lines) -> dict[str, list[str]]:
    lists: dict[str, list[str]] = {}
    for name, value in pairs:
        lists.setdefault(name, []).append(value)
    return lists


def decoded(target: str) -> str:
    """Return a path as the application sees it."""
    return unquote(target)
