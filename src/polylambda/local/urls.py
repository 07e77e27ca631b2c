"""An HTTP request as a function sees it: the event of a function URL, payload format 2.0, with no I/O.

See https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html. The way back is in `answers`.
"""

from __future__ import annotations

import base64
import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# RFC 9110, section 7.6.1, and what its predecessors added: they end at each hop.
_HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer",
     "transfer-encoding", "upgrade"}
)  # fmt: skip

_TEXT_TYPES = frozenset({"application/json", "application/javascript", "application/xml"})

# strftime's month names are those of the process's locale.
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

LOCAL_ID = "local"
ANONYMOUS = "anonymous"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """An HTTP request.

    Attributes:
        target: the path as it was sent, percent-encoded.
        query: what follows the question mark, as it was sent.
        headers: name and value of each line, as they were sent.
    """

    method: str
    target: str
    query: str = ""
    headers: Sequence[tuple[str, str]] = ()
    body: bytes = field(default=b"", repr=False)
    protocol: str = "HTTP/1.1"
    source_ip: str = "127.0.0.1"


def joined_headers(lines: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return headers by lower-case name, repeated values joined by commas (cookies by semicolons)."""
    joined: dict[str, str] = {}
    for name, value in lines:
        key = name.lower()
        separator = "; " if key == "cookie" else ","
        joined[key] = f"{joined[key]}{separator}{value}" if key in joined else value
    return joined


def event(
    request: Request, *, request_id: str, now: float, api_id: str = LOCAL_ID, iam: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Return the event for `request`.

    Args:
        request: what came.
        request_id: of the invocation.
        now: seconds since the epoch.
        api_id: of the function URL.
        iam: who signed the request, as `requestContext.authorizer.iam` has it; None: nobody.
    """
    headers = _end_to_end(joined_headers(request.headers))
    domain, port = _domain_and_port(headers.get("host", "localhost"))
    headers |= {"x-forwarded-for": request.source_ip, "x-forwarded-port": port, "x-forwarded-proto": "http"}
    told: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": request.target,
        "rawQueryString": request.query,
        "headers": headers,
        "requestContext": {
            "accountId": iam["accountId"] if iam else ANONYMOUS,
            "apiId": api_id,
            "domainName": domain,
            "domainPrefix": domain.partition(".")[0],
            "http": {
                "method": request.method,
                "path": request.target,
                "protocol": request.protocol,
                "sourceIp": request.source_ip,
                "userAgent": headers.get("user-agent", ""),
            },
            "requestId": request_id,
            "routeKey": "$default",
            "stage": "$default",
            "time": _clock(now),
            "timeEpoch": int(now * 1000),
        },
        "isBase64Encoded": False,
    }
    if iam:
        told["requestContext"]["authorizer"] = {"iam": iam}
    cookies = [part.strip() for part in headers.get("cookie", "").split(";") if part.strip()]
    if cookies:
        told["cookies"] = cookies
    if parameters := _parameters(request.query):
        told["queryStringParameters"] = parameters
    if request.body:
        told["body"], told["isBase64Encoded"] = _body(request.body, headers.get("content-type", ""))
    return told


def payload(
    request: Request, *, request_id: str, now: float, api_id: str = LOCAL_ID, iam: dict[str, Any] | None = None
) -> bytes:
    """Return the event for `request`, as `event` makes it, as the bytes of an invocation."""
    told = event(request, request_id=request_id, now=now, api_id=api_id, iam=iam)
    return json.dumps(told, ensure_ascii=False).encode()


def _end_to_end(headers: dict[str, str]) -> dict[str, str]:
    listed = {name.strip().lower() for name in headers.get("connection", "").split(",")}
    return {name: value for name, value in headers.items() if name not in _HOP_BY_HOP and name not in listed}


def _domain_and_port(host: str) -> tuple[str, str]:
    domain, _, port = host.rpartition(":")
    return (domain, port) if domain and port.isdigit() else (host, "80")


def _parameters(query: str) -> dict[str, str]:
    parameters: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        parameters[name] = f"{parameters[name]},{value}" if name in parameters else value
    return parameters


def _body(body: bytes, content_type: str) -> tuple[str, bool]:
    media_type = content_type.partition(";")[0].strip().lower()
    is_text = media_type.startswith("text/") or media_type in _TEXT_TYPES or media_type.endswith(("+json", "+xml"))
    if is_text:
        try:
            return body.decode(), False
        except UnicodeDecodeError:
            pass
    return base64.b64encode(body).decode(), True


def _clock(now: float) -> str:
    at = time.gmtime(now)
    return f"{at.tm_mday:02}/{_MONTHS[at.tm_mon - 1]}/{at.tm_year}:{at.tm_hour:02}:{at.tm_min:02}:{at.tm_sec:02} +0000"
