"""Events of HTTP integrations -> requests, and answers back: Mangum's handlers, and what they lack.

Mangum knows how API Gateway (REST APIs, HTTP APIs in both formats), function URLs and load balancers describe a request,
and how they want an answer described. What it reads of an event is taken from it, but for this:

- `raw_path` is given, and `root_path`, of which `path` is a part, as ASGI 3 and the frameworks have it;
- headers that end at each hop are left out, repeated headers of API Gateway are lines of their own, cookies are joined by
  semicolons, and what is Latin-1 in the event is Latin-1 in the scope;
- the client of a load balancer is the last address that it was told, not all of them; one that is not told is None;
- a body that is said to be base64 has to be it;
- events of authorisers and of VPC Lattice, which look like requests, are refused;
- events that lack something, or whose Host is an IPv6 address, are requests nevertheless.
"""

# What events are made of is known at run time only.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false, reportUnknownMemberType=false

from __future__ import annotations

import binascii
import re
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote, unquote

from mangum.handlers import ALB, APIGateway, HTTPGateway

from polylambda.asgi.head import HOP_BY_HOP, Head, end_to_end
from polylambda.asgi.protocol import versions
from polylambda.errors import UnmarshalError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mangum.types import LambdaConfig

    from polylambda.asgi.protocol import Lines, Scope

TEXT_TYPES = (
    "text/",
    "application/json",
    "application/javascript",
    "application/xml",
    "application/x-www-form-urlencoded",
    "application/x-ndjson",
    "application/vnd.oai.openapi",
    "+json",
    "+xml",
)
"""Parts of content types whose bodies are told as text, if they are UTF-8; all others as base64."""

_DROPPED = HOP_BY_HOP | {b"expect"}  # it was answered before the event was made
_AUTHORISED = frozenset({"methodArn", "routeArn"})  # what an authoriser is asked about, beside the request
_DIFFICULT = frozenset({"host", "x-forwarded-port"})
_AS_IS = "/%:@!$&'()*+,;=~-._"  # of a path, RFC 3986: percent-encoded already, or never to be

_host_and_port = re.compile(r"\[([^\]]*)\](?::(\d+))?").fullmatch


# Mangum's answers read the scope once more, which its own handlers would make anew.


class _LoadBalancer(ALB):
    scope: Any = None  # pyright: ignore[reportIncompatibleMethodOverride]

    def read_scope(self) -> Scope:
        return ALB.scope.__get__(self)


class _HttpApi(HTTPGateway):
    scope: Any = None  # pyright: ignore[reportIncompatibleMethodOverride]

    def read_scope(self) -> Scope:
        return HTTPGateway.scope.__get__(self)


class _RestApi(APIGateway):
    scope: Any = None  # pyright: ignore[reportIncompatibleMethodOverride]

    def read_scope(self) -> Scope:
        return APIGateway.scope.__get__(self)


_KINDS: Any = (_LoadBalancer, _HttpApi, _RestApi)  # in Mangum's order


class Events:
    """Makes requests of events."""

    def __init__(self, *, root_path: str, text_types: tuple[str, ...]) -> None:
        """Take what does not change.

        Args:
            root_path: where the application is mounted, such as `/prod`; empty for the root.
            text_types: see `TEXT_TYPES`.
        """
        self._root = root_path
        self._config: LambdaConfig = {
            "api_gateway_base_path": "/",
            "text_mime_types": list(text_types),
            "exclude_headers": [],
        }

    def request(self, event: Any, context: Any) -> Request:
        """Make the request that `event` describes.

        Raises:
            UnmarshalError: it describes none.
        """
        kind = None
        if isinstance(event, dict) and isinstance(event.get("requestContext"), dict):
            kind = next((each for each in _KINDS if each.infer(event, context, self._config)), None)
        if kind is _HttpApi and event["version"] == "2.0" and "http" not in event["requestContext"]:
            kind = None  # of VPC Lattice, whose events Mangum would take for those of an HTTP API
        if kind is not None and "type" in event and not event.keys().isdisjoint(_AUTHORISED):
            raise UnmarshalError(
                "the event asks an authoriser for a decision and is no HTTP request to answer: give the authoriser a handler "
                f"of its own: {_shown(event)}"
            )
        if kind is None:
            raise UnmarshalError(
                f"the event is no HTTP request of API Gateway, a load balancer or a function URL: {_shown(event)}"
            )
        mangum = kind(event, context, self._config)
        try:
            scope = _scope(mangum)
            body = _body(mangum)
            _correct(scope, mangum.event, self._root)
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            raise UnmarshalError(f"the event is no complete HTTP request: {error!r}: {_shown(event)}") from error
        return Request(mangum, scope, body)


class Request:
    """One HTTP request.

    Attributes:
        scope: what the application is told of it.
        body: the whole of it.
    """

    __slots__ = ("_mangum", "body", "scope")

    def __init__(self, mangum: Any, scope: Scope, body: bytes) -> None:
        mangum.scope = scope
        self._mangum = mangum
        self.scope = scope
        self.body = body

    @property
    def can_stream(self) -> bool:
        """The sender can take a stream, if it was set up to: function URLs and REST APIs can.

        Load balancers and HTTP APIs cannot. An HTTP API with nothing but a default route, on a domain of its own, looks like
        a function URL.
        """
        event = self._mangum.event
        if isinstance(self._mangum, _HttpApi):
            context = event["requestContext"]
            is_url = context.get("routeKey") in ("$default", None) and event["version"] == "2.0"
            return is_url and ".execute-api." not in str(context.get("domainName"))
        return isinstance(self._mangum, _RestApi)

    @property
    def is_rest(self) -> bool:
        """The sender is a REST API."""
        return isinstance(self._mangum, _RestApi)

    def answer(self, head: Head, body: bytes) -> dict[str, Any]:
        """Return what the sender of the event wants to be told."""
        lines = [(name, value if value.isascii() else value.decode("latin-1").encode()) for name, value in head.lines]
        # Mangum reads values as UTF-8.
        told = self._mangum({"status": head.status, "headers": lines, "body": body})
        if head.is_bodiless and not any(name == b"content-type" for name, _ in lines):
            told.get("headers", {}).pop("content-type", None)  # Mangum's own: a cache would take it for the content's
        return told


def _body(mangum: Any) -> bytes:
    body = mangum.event.get("body")
    if not body or not mangum.event.get("isBase64Encoded"):
        return mangum.body
    try:
        return binascii.a2b_base64(body, strict_mode=True)
    except ValueError as error:
        raise UnmarshalError(
            f"the body of the event is no base64, as isBase64Encoded says: {error}: {body!r:.80}"
        ) from error


def _scope(mangum: Any) -> Scope:
    try:
        return mangum.read_scope()
    except (AttributeError, LookupError, TypeError, ValueError):
        pass
    event = mangum.event
    mangum.event, aside = _completed(event)
    scope: Scope = mangum.read_scope()
    mangum.event = scope["aws.event"] = event
    scope["headers"] += [[name.encode(), value.encode()] for name, value in aside]
    return scope


def _completed(event: dict[str, Any]) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """An event as AWS would have sent it, and apart from it the headers that Mangum may stumble over.

    AWS's own events are complete. Those that people write for tests, and other servers, often are not.
    """
    context: dict[str, Any] = dict(event["requestContext"])
    http: dict[str, Any] = context.get("http") or {}
    context["identity"] = context.get("identity") or {}
    context["http"] = {
        "method": http.get("method") or "GET",
        "path": http.get("path") or event.get("rawPath") or "/",
        "sourceIp": http.get("sourceIp"),
    }
    lines = [(name, [value]) for name, value in (event.get("headers") or {}).items()]
    repeated: dict[str, Any] | None = event.get("multiValueHeaders")
    if repeated:
        lines = [(name, values) for name, values in repeated.items() if isinstance(values, list)]
    aside = [(name.lower(), str(values[-1])) for name, values in lines if values and name.lower() in _DIFFICULT]
    plain: dict[str, list[str]] = {}
    for name, values in lines:
        told = [str(value) for value in values if value is not None]
        if told and name.lower() not in _DIFFICULT:
            plain[name] = told
    completed = {
        **event,
        "headers": {name: values[-1] for name, values in plain.items()},
        "multiValueHeaders": plain,
        "requestContext": context,
        "rawQueryString": event.get("rawQueryString") or "",
        "httpMethod": event.get("httpMethod") or "GET",
        "path": event.get("path") or "/",
    }
    return completed, aside


def _correct(scope: Scope, event: Mapping[str, Any], root: str) -> None:
    """Put right what Mangum leaves out or gets wrong."""
    context = event["requestContext"]
    scope["asgi"] = versions()
    protocol = (context.get("http") or context).get("protocol")
    scope["http_version"] = protocol.removeprefix("HTTP/").removesuffix(".0") if isinstance(protocol, str) else "1.1"
    path: str = (context.get("http") or event).get("path") or event.get("rawPath") or "/"
    if root and not (path + "/").startswith(root + "/"):
        path = root + path  # the gateway has taken it away
    scope["root_path"] = root
    scope["path"] = unquote(path)
    scope["raw_path"] = quote(path, safe=_AS_IS).encode()
    told: dict[str, Any] | None = event.get("multiValueHeaders")
    lines = scope["headers"] = _lines(_apart(scope["headers"], told) if told else scope["headers"])
    address = (scope.get("client") or ("",))[0]
    address = address.rpartition(",")[2].strip() if address else None
    scope["client"] = (address, 0) if address else None
    scope["server"] = _server(lines, scope["server"])


def _lines(headers: list[list[bytes]]) -> Lines:
    lines: Lines = []
    is_between = False
    for name, value in headers:
        is_between = is_between or name in _DROPPED
        lines.append((name, value if value.isascii() else _latin1(value)))
    return [line for line in end_to_end(lines) if line[0] != b"expect"] if is_between else lines


def _latin1(value: bytes) -> bytes:
    # What was bytes on the wire is text in the event, in Latin-1 as all of HTTP; unless it is more than Latin-1 has.
    try:
        return value.decode().encode("latin-1")
    except UnicodeEncodeError:
        return value


def _apart(headers: list[list[bytes]], told: Mapping[str, Any]) -> list[list[bytes]]:
    """Give each value of a repeated header a line, where Mangum joins them by commas or takes the last.

    HTTP/2 sends cookies one by one; they become one line, joined by semicolons (RFC 9113, section 8.2.3).
    """
    values: dict[bytes, list[bytes]] = {}
    for name, each in told.items():
        if isinstance(each, list):
            values.setdefault(name.lower().encode(), []).extend(
                str(value).encode() for value in each if value is not None
            )
    repeated = {name: each for name, each in values.items() if len(each) > 1}
    if not repeated:
        return headers
    if b"cookie" in repeated:
        repeated[b"cookie"] = [b"; ".join(repeated[b"cookie"])]
    lines = [line for line in headers if line[0] not in repeated]
    return lines + [[name, value] for name, each in repeated.items() for value in each]


def _server(lines: Lines, told: tuple[str, int]) -> tuple[str, int] | None:
    host = next((value for name, value in lines if name == b"host"), b"").decode("latin-1")
    if not host.startswith("["):
        return told if told[0] != "mangum" else None  # Mangum's word for a Host that is missing, or is none
    found = _host_and_port(host)
    return (found[1], int(found[2] or told[1])) if found else None


def _shown(event: object) -> str:
    if isinstance(event, dict):
        return f"its keys are {', '.join(sorted(map(str, cast('dict[Any, Any]', event)))[:10]) or 'none'}"
    return f"it is {type(event).__name__}"
