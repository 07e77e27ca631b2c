"""What a function answered, as an HTTP response: the rules of function URLs, with no I/O.

Three forms: a result that describes the response (`statusCode`, `headers`, `cookies`, `body`, `isBase64Encoded`), any
other JSON, and a stream that begins with an HTTP prelude. What the function got wrong is a `BadAnswer`; on AWS the
caller then sees 502. See https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from polylambda.errors import PolylambdaError
from polylambda.rapi.headers import HTTP_INTEGRATION, JSON, OCTET_STREAM, PRELUDE_END

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_PRELUDE = 16 * 1024
"""Bytes of a stream in which its prelude must end; API Gateway's figure."""

_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_UNSAFE = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")

# They describe the connection to the caller, which is the server's and not the function's.
_FRAMING = frozenset(
    b"connection content-length keep-alive proxy-connection te trailer transfer-encoding upgrade".split()
)


class BadAnswer(PolylambdaError):
    """The function's result is not the HTTP response it claims to be; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """Status and headers of an HTTP response; names are lower case."""

    status: int = 200
    headers: tuple[tuple[bytes, bytes], ...] = ()

    @property
    def has_body(self) -> bool:
        """Whether HTTP allows a body after this status."""
        return self.status not in (204, 205, 304)

    def with_headers(self, lines: tuple[tuple[bytes, bytes], ...]) -> Head:
        """Return the same head with `lines`, in place of headers of the same names."""
        names = {name for name, _ in lines}
        return Head(status=self.status, headers=(*(one for one in self.headers if one[0] not in names), *lines))


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A whole HTTP response."""

    head: Head
    body: bytes = field(repr=False)


INTERNAL_SERVER_ERROR = Answer(
    head=Head(status=502, headers=((b"content-type", b"text/plain"),)), body=b"Internal Server Error"
)
"""What AWS answers for a function that failed or answered nonsense."""


def buffered(result: bytes) -> Answer:
    """Return the HTTP response that `result`, a whole buffered result, stands for.

    Raises:
        BadAnswer: the result is not JSON, or describes a response that HTTP does not have.
    """
    try:
        told = json.loads(result)
    except (ValueError, RecursionError) as error:
        raise BadAnswer(f"the result is not JSON: {error}") from error
    if not isinstance(told, dict) or "statusCode" not in told:
        return Answer(head=_with_default_type(Head(), JSON), body=result)
    members = cast("dict[str, Any]", told)
    body = members.get("body")
    if body is None:
        body = ""
    if not isinstance(body, str):
        raise BadAnswer(f"body is {_shown(body)}: it must be a string; encode a JSON body with json.dumps")
    return Answer(
        head=_with_default_type(head(members), JSON),
        body=_decoded(body) if members.get("isBase64Encoded") else body.encode("utf-8", "replace"),
    )


def plain_head(content_type: str) -> Head:
    """Return the head of a stream that has no prelude."""
    return _with_default_type(Head(), content_type or OCTET_STREAM)


def head(members: dict[str, Any]) -> Head:
    """Return the head that `statusCode`, `headers`, `multiValueHeaders` and `cookies` describe; all may be missing.

    A header that is in both maps takes its values from `multiValueHeaders`, as in API Gateway.

    Raises:
        BadAnswer: one of them is of the wrong shape, or cannot be sent.
    """
    named: dict[bytes, list[bytes]] = {}
    for name, value in _map(members, "headers"):
        named[_name(name)] = [_value(name, value)]
    for name, values in _map(members, "multiValueHeaders"):
        if not isinstance(values, list):
            raise BadAnswer(f"multiValueHeaders[{name!r}] is {_shown(values)}: it must be a list of strings")
        named[_name(name)] = [_value(name, value) for value in cast("list[object]", values)]
    cookies: object = members.get("cookies") or []
    if not isinstance(cookies, list):
        raise BadAnswer(f"cookies is {_shown(cookies)}: it must be a list of strings, one for each cookie")
    if cookies:
        named.setdefault(b"set-cookie", []).extend(_value("cookies", item) for item in cast("list[object]", cookies))
    lines = tuple((name, value) for name, values in named.items() if name not in _FRAMING for value in values)
    return Head(status=_status(members.get("statusCode", 200)), headers=lines)


def has_prelude(content_type: str) -> bool:
    """Say whether a response of this type begins with an HTTP prelude."""
    return content_type.partition(";")[0].strip().lower() == HTTP_INTEGRATION


class Prelude:
    """Finds the HTTP prelude at the start of a stream: JSON, eight NUL bytes, then the body."""

    def __init__(self) -> None:
        self._held = b""

    def receive(self, data: bytes) -> tuple[Head, bytes] | None:
        """Take the next bytes; return the head and the first bytes of the body once the prelude is complete.

        Raises:
            BadAnswer: the prelude does not end in time, or is not one.
        """
        self._held += data
        text, end, body = self._held.partition(PRELUDE_END)
        if len(text) > MAX_PRELUDE:
            raise BadAnswer(f"the HTTP prelude does not end within {MAX_PRELUDE} bytes: eight NUL bytes must end it")
        if not end:
            return None
        try:
            members = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise BadAnswer(f"the HTTP prelude is not JSON: {error}") from error
        if not isinstance(members, dict):
            raise BadAnswer(f"the HTTP prelude is {_shown(members)}: it must be a JSON object")
        return _with_default_type(head(cast("dict[str, Any]", members)), OCTET_STREAM), body

    def end(self) -> BadAnswer:
        """Return what is wrong with a stream that ended before its prelude did."""
        return BadAnswer(f"the stream ended after {len(self._held)} bytes, inside its HTTP prelude")


def _with_default_type(of: Head, content_type: str) -> Head:
    if not of.has_body or any(name == b"content-type" for name, _ in of.headers):
        return of
    return Head(status=of.status, headers=((b"content-type", _value("content-type", content_type)), *of.headers))


def _status(value: object) -> int:
    # AWS takes the number as text too. 1xx is in its documented range, but is no final response in HTTP.
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value)
    if not isinstance(value, int) or not 200 <= value <= 599:
        raise BadAnswer(f"statusCode is {_shown(value)}: it must be a number from 200 to 599")
    return value


def _map(members: dict[str, Any], key: str) -> Iterator[tuple[str, object]]:
    value: object = members.get(key) or {}
    if not isinstance(value, dict):
        raise BadAnswer(f"{key} is {_shown(value)}: it must be an object")
    return iter(cast("dict[str, object]", value).items())


def _name(text: str) -> bytes:
    name = text.encode("utf-8", "replace").lower()
    if not _TOKEN.fullmatch(name):
        raise BadAnswer(f"{text!r} cannot be the name of an HTTP header")
    return name


def _value(name: str, value: object) -> bytes:
    if isinstance(value, bool):
        value = "true" if value else "false"
    if not isinstance(value, str | int | float):
        raise BadAnswer(f"header {name!r} is {_shown(value)}: it must be a string")
    text = str(value).strip()
    try:
        line = text.encode("latin-1")
    except UnicodeEncodeError:
        line = text.encode("utf-8", "replace")
    if _UNSAFE.search(line):
        raise BadAnswer(f"header {name!r} holds a control character: {_shown(value)}")
    return line


def _decoded(body: str) -> bytes:
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadAnswer(f"isBase64Encoded is set, but body is not base64: {error}") from error


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}..."
