"""What became of an invocation, as a test looks at it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from polylambda.errors import PolylambdaError
from polylambda.local import answers
from polylambda.rapi.headers import HTTP_INTEGRATION, PRELUDE_END

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpResponse:
    """A result as its caller sees it behind a function URL.

    Attributes:
        status: HTTP status code.
        headers: by lower-case name; several values of one header are joined by commas. Cookies are apart.
        cookies: values of `Set-Cookie`.
        body: decoded, if the handler sent it as base64.
    """

    status: int
    headers: dict[str, str]
    cookies: list[str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()

    @property
    def value(self) -> Any:
        """The body read as JSON."""
        return json.loads(self.body)


@dataclass(slots=True, kw_only=True)
class Result:
    """What became of one invocation.

    Attributes:
        chunks: the pieces of a streamed body, as the handler wrote them (a `RuntimeClient` gives them as they arrive);
            the one piece of a buffered response; nothing when the invocation failed before its first byte.
        prelude: JSON of the HTTP head that `start_http` sent before the body; empty without one.
        content_type: media type that the platform was told.
        streamed: the response was streamed.
        answered: the response is complete, and no error.
        exception: what the handler raised, also after its first byte or its answer; None when it raised nothing, and from
            a `RuntimeClient`, which sees what the platform sees.
        error: AWS's error payload (`errorType`, `errorMessage`, ...) if the invocation failed, else None.
        records: the invocation's log records, of the levels that its loggers let through; as on Lambda that is WARNING
            and above unless the function, or `caplog.set_level`, says otherwise.
    """

    chunks: list[bytes] = field(default_factory=list[bytes])
    prelude: bytes = b""
    content_type: str = ""
    streamed: bool = False
    answered: bool = False
    exception: BaseException | None = None
    error: dict[str, Any] | None = None
    records: list[logging.LogRecord] = field(default_factory=list["logging.LogRecord"])

    @property
    def body(self) -> bytes:
        """The response; as much of it as was sent, when a stream broke off."""
        return b"".join(self.chunks)

    @property
    def text(self) -> str:
        """The response as text."""
        return self.body.decode()

    @property
    def value(self) -> Any:
        """The response read as JSON; raises what the handler raised if the invocation failed."""
        if not self.answered:
            raise self._failure
        return json.loads(self.body)

    @property
    def http(self) -> HttpResponse:
        """What a function URL makes of the response: of `start_http`, of a result with a `statusCode`, or of other JSON.

        Raises what the handler raised if the invocation failed and nothing was sent, and a `PolylambdaError` for a
        result that is no HTTP response, which AWS answers with status 502.
        """
        if self.streamed:
            head, body = answers.plain_head(self.content_type), self.body
            if self.prelude:
                head = _head(self.prelude)
        elif self.answered:
            answer = answers.buffered(self.body)
            head, body = answer.head, answer.body
        else:
            raise self._failure
        headers: dict[str, str] = {}
        cookies: list[str] = []
        for line in head.headers:
            name, value = (text.decode("latin-1") for text in line)
            if name == "set-cookie":
                cookies.append(value)
            else:
                headers[name] = f"{headers[name]}, {value}" if name in headers else value
        return HttpResponse(status=head.status, headers=headers, cookies=cookies, body=body if head.has_body else b"")

    @property
    def logs(self) -> list[str]:
        """The messages of the log records."""
        return [record.getMessage() for record in self.records]

    @property
    def _failure(self) -> BaseException:
        if self.exception is not None:
            return self.exception
        error = self.error or {}
        return PolylambdaError(f"the invocation failed: {error.get('errorType')}: {error.get('errorMessage')}")


def split(pieces: Iterable[bytes], content_type: str) -> tuple[bytes, list[bytes]]:
    """Return the HTTP prelude of what was sent, empty if its type has none, and the pieces of the body."""
    chunks = [piece for piece in pieces if piece]
    if content_type != HTTP_INTEGRATION:
        return b"", chunks
    prelude, mark, _ = b"".join(chunks).partition(PRELUDE_END)
    left = len(prelude) + len(mark)
    while left:
        first = chunks.pop(0)
        if left < len(first):
            chunks.insert(0, first[left:])
        left -= min(left, len(first))
    return prelude, chunks


def _head(prelude: bytes) -> answers.Head:
    found = answers.Prelude().receive(prelude + PRELUDE_END)
    assert found is not None
    return found[0]
