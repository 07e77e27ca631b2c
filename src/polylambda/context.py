"""What a handler is told about its invocation: AWS's context object, and ours on top of it.

Nothing here talks to the Runtime API; a `LambdaContext` is made from what `rapi` received.
"""

from __future__ import annotations

import os
import time
from contextvars import ContextVar
from functools import cached_property

from polylambda.errors import ContextError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import logging
    from collections.abc import Mapping
    from pathlib import Path
    from typing import Any, cast

    from polylambda.rapi.events import Invocation
    from polylambda.settings import Settings
else:

    def cast(_: object, value: object) -> object:
        """Stand in for `typing.cast`, without the import of typing."""
        return value


CURRENT: ContextVar[LambdaContext | None] = ContextVar("polylambda_context", default=None)

_W3C_FIELDS = ("traceparent", "tracestate", "baggage")


def current_context() -> LambdaContext:
    """Return the context of the invocation that this code runs for.

    It follows context variables: into the tasks the handler starts and into `asyncio.to_thread`.

    Raises:
        LookupError: no invocation is running here.
    """
    context = CURRENT.get()
    if context is None:
        raise LookupError("no invocation is running here: current_context() works inside a handler and what it calls")
    return context


class LambdaContext:
    """The context of one invocation.

    Every name of AWS's context object is here with AWS's meaning
    (https://docs.aws.amazon.com/lambda/latest/dg/python-context.html), so that existing code runs unchanged; `deadline`,
    `trace_id`, `logger`, `state`, `tmp_dir` and `slot` are additions. Attributes may be set and added.

    Attributes:
        aws_request_id: id of the event; the same for every retry of an asynchronous event.
        invoked_function_arn: ARN that the caller used: function, version or alias.
        function_name: name of the function.
        function_version: version of the function, `$LATEST` or a number.
        memory_limit_in_mb: memory of the execution environment in MiB, as text.
        log_group_name: CloudWatch log group of the function; empty outside Lambda.
        log_stream_name: CloudWatch log stream of the execution environment; empty outside Lambda.
        deadline: when the platform gives the invocation up, in seconds since the epoch, as `time.time()` counts.
        content_type: media type of the event, as its sender named it.
        tenant_id: tenant of a function with tenant isolation, else None.
        client_context: what the calling application said of itself; None when it said nothing.
        trace_header: X-Ray trace header as the platform sent it, empty when it sent none.
        state: what the lifespan yielded, else None.
        slot: number of the slot that runs the invocation, from 0.
    """

    _over = False
    _made_dir: Path | None = None

    def __init__(self, invocation: Invocation, settings: Settings, *, state: Any = None, slot: int = 0) -> None:
        """Make the context of `invocation`.

        Raises:
            ContextError: the deadline or the function's ARN is missing or malformed, or the client context or the Cognito
                identity is not a JSON object.
        """
        self.aws_request_id = invocation.request_id
        try:
            self.deadline = int(invocation.deadline_ms) / 1000
        except (ValueError, OverflowError):
            raise _bad_deadline(invocation.deadline_ms) from None
        self.invoked_function_arn = invocation.function_arn
        if not invocation.function_arn:
            raise ContextError(
                "the event has no Lambda-Runtime-Invoked-Function-Arn header: the platform must send one"
            )
        self.function_name = settings.function_name
        self.function_version = settings.function_version
        self.memory_limit_in_mb = settings.memory_limit_in_mb
        self.log_group_name = settings.log_group_name
        self.log_stream_name = settings.log_stream_name
        self.content_type = invocation.content_type
        self.tenant_id = invocation.tenant_id or None
        self.trace_header = invocation.trace_id
        self.state = state
        self.slot = slot
        self.client_context: ClientContext | None = None
        if invocation.client_context:
            self.client_context, self._w3c = _client_context(invocation.client_context)
        if invocation.cognito_identity:
            self.identity = CognitoIdentity(_json_header(invocation.cognito_identity, "Cognito Identity") or {})

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds left before the deadline; zero or less when it has passed."""
        return int((self.deadline - time.time()) * 1000)

    @cached_property
    def trace_id(self) -> str:
        """X-Ray trace header of the invocation; an unsampled one is made up when the platform sent none."""
        return self.trace_header or _unsampled_trace()

    @cached_property
    def identity(self) -> CognitoIdentity:
        """The Cognito identity that authorised the call; its fields are None when there was none."""
        return CognitoIdentity({})

    @cached_property
    def _w3c(self) -> dict[str, str]:
        return {}

    def w3c(self) -> dict[str, str]:
        """Return the W3C trace context (`traceparent`, `tracestate`, `baggage`) that came with the client context."""
        return dict(self._w3c)

    @property
    def logger(self) -> logging.Logger:
        """A logger for the handler, named after the function; its records carry the request id as all records do."""
        import logging

        return logging.getLogger(self.function_name or "lambda")

    def log(self, msg: object) -> None:
        """Write a line to the function's log as it is, as AWS's context does."""
        from polylambda import logs

        logs.write(str(msg))

    @cached_property
    def tmp_dir(self) -> Path:
        """A directory of this invocation's own, made on first use and removed when the invocation is over.

        Raises:
            LookupError: the invocation is over; nobody would remove the directory.
        """
        if self._over:
            raise LookupError(f"invocation {self.aws_request_id} is over: its tmp_dir is gone")
        import tempfile
        from pathlib import Path

        self._made_dir = Path(tempfile.mkdtemp(prefix=f"invocation-{self.slot}-"))
        return self._made_dir

    def close(self) -> None:
        """Remove what the invocation left behind; the runtime calls it when the invocation is over."""
        self._over = True
        if self._made_dir is not None:
            import shutil

            shutil.rmtree(self._made_dir, ignore_errors=True)
            self.__dict__.pop("tmp_dir", None)

    def __repr__(self) -> str:
        return (
            f"LambdaContext(aws_request_id={self.aws_request_id!r}, function_name={self.function_name!r}, "
            f"invoked_function_arn={self.invoked_function_arn!r}, deadline={self.deadline!r}, slot={self.slot!r})"
        )


class CognitoIdentity:
    """The Amazon Cognito identity that authorised the call; both fields are None when there was none."""

    __slots__ = ("cognito_identity_id", "cognito_identity_pool_id")

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self.cognito_identity_id: str | None = fields.get("cognitoIdentityId")
        self.cognito_identity_pool_id: str | None = fields.get("cognitoIdentityPoolId")

    def __repr__(self) -> str:
        return f"CognitoIdentity({self.cognito_identity_id!r}, {self.cognito_identity_pool_id!r})"


class ClientContext:
    """What the calling mobile application said of itself: `custom` and `env` are dicts, `client` describes the app."""

    __slots__ = ("client", "custom", "env")

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self.custom: dict[str, Any] | None = fields.get("custom")
        self.env: dict[str, Any] | None = fields.get("env")
        client: dict[str, Any] | None = fields.get("client")
        self.client: Client | None = Client(client) if isinstance(client, dict) else None

    def __repr__(self) -> str:
        return f"ClientContext(custom={self.custom!r}, env={self.env!r}, client={self.client!r})"


class Client:
    """The calling mobile application."""

    __slots__ = ("app_package_name", "app_title", "app_version_code", "app_version_name", "installation_id")

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self.installation_id: str | None = fields.get("installation_id")
        self.app_title: str | None = fields.get("app_title")
        self.app_version_name: str | None = fields.get("app_version_name")
        self.app_version_code: str | None = fields.get("app_version_code")
        self.app_package_name: str | None = fields.get("app_package_name")

    def __repr__(self) -> str:
        return f"Client({', '.join(f'{name}={getattr(self, name)!r}' for name in self.__slots__)})"


def _bad_deadline(text: str) -> ContextError:
    if not text:
        return ContextError("the event has no Lambda-Runtime-Deadline-Ms header: the platform must send one")
    return ContextError(f"Lambda-Runtime-Deadline-Ms is not a number of milliseconds: {text[:80]!r}")


def _client_context(text: str) -> tuple[ClientContext | None, dict[str, str]]:
    """The client context, and the W3C trace context that AWS's SDKs hide in it."""
    fields = _json_header(text, "Client Context")
    if fields is None:
        return None, {}
    hidden = fields.get("w3c")
    w3c = cast("dict[str, Any]", hidden) if isinstance(hidden, dict) else {}
    return ClientContext(fields), {name: w3c[name] for name in _W3C_FIELDS if isinstance(w3c.get(name), str)}


def _json_header(text: str, name: str) -> dict[str, Any] | None:
    """The object in a header; JSON's null is as good as no header."""
    import json

    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ContextError(f"Unable to parse {name} JSON: {error}") from None
    if parsed is not None and not isinstance(parsed, dict):
        raise ContextError(f"Unable to parse {name} JSON: it is not an object: {text[:100]!r}")
    return cast("dict[str, Any] | None", parsed)


def _unsampled_trace() -> str:
    random = os.urandom(12).hex()
    return f"Root=1-{int(time.time()):08x}-{random};Sampled=0"
