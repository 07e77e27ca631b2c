"""The Runtime API of one execution environment, on a TCP port: which requests exist, and what they do."""

from __future__ import annotations

import asyncio
import time
from enum import Enum
from typing import TYPE_CHECKING, Self

from polylambda.rapi import headers as names
from polylambda.server import faults
from polylambda.server.errors import Refusal
from polylambda.server.exchanges import AnswerUpload, Collected, ExtensionPoll, NextPoll
from polylambda.server.extensions import Extensions
from polylambda.server.function import FunctionConfiguration
from polylambda.server.listener import Listener
from polylambda.server.wire import ACCEPTED, Reply, RequestHead

if TYPE_CHECKING:
    from collections.abc import Callable

    from polylambda.server.broker import Broker
    from polylambda.server.connection import Connection, Exchange

_NO_BODY = 0


class Phase(Enum):
    """How far the runtime has come."""

    INIT = "init"
    READY = "ready"
    INIT_FAILED = "init failed"


class RuntimeApi:
    """Serve one environment from one broker: `async with RuntimeApi(broker) as api: ... api.address`.

    One runtime at a time uses it. Another may follow it: say `runtime_exited` and `runtime_started`, as
    `RuntimeProcess` does.

    Attributes:
        broker: whose invocations it serves.
        function: what the environment knows about its function.
        phase: INIT until the runtime's first poll.
        init_error: error type and payload, when the phase is INIT_FAILED.
    """

    def __init__(
        self,
        broker: Broker,
        *,
        function: FunctionConfiguration | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        """Describe the server; `start` binds `host` and `port` (0: any free one)."""
        self.broker = broker
        self.function = function or FunctionConfiguration()
        self.phase = Phase.INIT
        self.init_error: tuple[str, bytes] | None = None
        self._host = host
        self._port = port
        self._listener = Listener(self._serve)
        self._extensions = Extensions(self.function)
        self._phase_changed = asyncio.Event()
        self._routes: dict[str, tuple[str, Callable[[RequestHead, Connection], Exchange]]] = {
            names.NEXT_PATH: ("GET", self._next),
            names.INIT_ERROR_PATH: ("POST", self._init_error),
            names.PING_PATH: ("GET", self._ping),
            names.EXTENSION_REGISTER_PATH: ("POST", self._register),
            names.EXTENSION_NEXT_PATH: ("GET", self._extension_next),
        }
        if self.function.initialization_type == "snap-start":
            self._routes[names.RESTORE_NEXT_PATH] = ("GET", self._restore_next)
            self._routes[names.RESTORE_ERROR_PATH] = ("POST", self._restore_error)

    # Life

    async def start(self) -> None:
        """Bind and listen.

        Raises:
            CannotStart: the address is taken, or is none of this machine's.
        """
        self._port = self._listener.open(self._host, self._port)

    async def stop(self) -> None:
        """Stop listening, close every connection, and wait for them. The broker keeps what it has."""
        await self._listener.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.stop()

    @property
    def address(self) -> str:
        """`host:port` under which a runtime on this machine finds it: the value of AWS_LAMBDA_RUNTIME_API."""
        host = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}.get(self._host, self._host)
        return f"[{host}]:{self._port}" if ":" in host else f"{host}:{self._port}"

    async def ready(self) -> bool:
        """Wait until the runtime polls for the first time: True. False: its init failed instead."""
        await self._phase_changed.wait()
        return self.phase is Phase.READY

    def runtime_started(self) -> None:
        """Take it that a new runtime starts: nothing of the one before counts any more."""
        self.phase = Phase.INIT
        self.init_error = None
        self._phase_changed.clear()
        self._extensions = Extensions(self.function)
        self.broker.revive()

    def runtime_exited(self, reason: str, *, stopped: bool = False) -> None:
        """Fail what the runtime held: it exited, for `reason`, such as `exit status 1`.

        If it had not come to its first poll, that is an init error: what waits fails as well, and everything that comes
        until `runtime_started`. Not so when it was `stopped`: then what waits, waits for the next runtime.
        """
        self.broker.fail_running(faults.EXIT_ERROR, reason)
        if self.phase is Phase.INIT and not stopped:
            self._fail_init(faults.EXIT_ERROR, faults.error_payload(faults.EXIT_ERROR, reason))

    def announce_shutdown(self, seconds: float, reason: str = "spindown") -> None:
        """Send SHUTDOWN to the extensions that asked for it; they are given `seconds`."""
        self._extensions.shut_down(reason, int((time.time() + seconds) * 1000))

    def _fail_init(self, error_type: str, payload: bytes) -> None:
        self.phase = Phase.INIT_FAILED
        self.init_error = (error_type, payload)
        self._phase_changed.set()
        self.broker.fail_init(error_type, payload)

    # Requests

    def _serve(self, head: RequestHead, connection: Connection) -> Exchange:
        path = head.path
        if path.startswith(names.INVOCATION_PATH) and path != names.NEXT_PATH:
            return self._answer(head, connection)
        route = self._routes.get(path)
        if route is None:
            raise _not_found(path)
        method, serve = route
        if head.method != method:
            raise _wrong_method(head, method)
        return serve(head, connection)

    def _next(self, head: RequestHead, connection: Connection) -> Exchange:
        if self.phase is Phase.INIT:
            self.phase = Phase.READY
            self._phase_changed.set()
            self._extensions.close_registration()
        return NextPoll(self.broker, connection)

    def _answer(self, head: RequestHead, connection: Connection) -> Exchange:
        request_id, _, action = head.path[len(names.INVOCATION_PATH) :].partition("/")
        if action not in ("response", "error"):
            raise _not_found(head.path)
        if head.method != "POST":
            raise _wrong_method(head, "POST")
        headers = head.headers
        broker = self.broker
        invocation_id = headers.get(names.INVOCATION_ID, "")
        if action == "error":
            broker.check_error(request_id, invocation_id)
            error_type = headers.get(names.ERROR_TYPE, "")

            def fail(payload: bytes) -> Reply:
                broker.error(request_id, invocation_id, error_type, payload)
                return ACCEPTED

            return _limited(head, fail, lambda: fail(_oversize_error(error_type)))
        answer = broker.begin_answer(
            request_id,
            invocation_id,
            connection,
            content_type=headers.get("content-type") or names.OCTET_STREAM,
            mode=headers.get(names.RESPONSE_MODE),
        )
        if head.content_length:
            answer.expect(head.content_length)
        return AnswerUpload(answer)

    def _init_error(self, head: RequestHead, connection: Connection) -> Exchange:
        def fail(payload: bytes) -> Reply:
            if self.phase is not Phase.INIT:
                raise faults.invalid_state()
            self._fail_init(faults.function_error_type(head.headers.get(names.ERROR_TYPE, "")), payload)
            return ACCEPTED

        return _limited(head, fail)

    def _restore_next(self, head: RequestHead, connection: Connection) -> Exchange:
        # A snapshot that is never taken is restored at once.
        return Collected(lambda _: Reply(200, b""), limit=_NO_BODY)

    def _restore_error(self, head: RequestHead, connection: Connection) -> Exchange:
        return self._init_error(head, connection)

    def _ping(self, head: RequestHead, connection: Connection) -> Exchange:
        return Collected(lambda _: Reply(200, b"pong", content_type="text/plain"), limit=_NO_BODY)

    def _register(self, head: RequestHead, connection: Connection) -> Exchange:
        name = head.headers.get(names.EXTENSION_NAME)
        return _limited(head, lambda body: self._extensions.register(name, body))

    def _extension_next(self, head: RequestHead, connection: Connection) -> Exchange:
        identifier = head.headers.get(names.EXTENSION_IDENTIFIER)
        self._extensions.find(identifier)
        return ExtensionPoll(self._extensions, identifier, connection)


def _limited(
    head: RequestHead, then: Callable[[bytes], Reply], on_excess: Callable[[], object] | None = None
) -> Collected:
    """A request with a body of at most 1 MiB; `on_excess` is called when it is larger. Raises Refusal."""
    if (head.content_length or 0) > names.MAX_ERROR_BODY:
        if on_excess is not None:
            on_excess()
        raise faults.too_large(names.MAX_ERROR_BODY)
    return Collected(then, limit=names.MAX_ERROR_BODY, on_excess=on_excess)


def _oversize_error(error_type: str) -> bytes:
    """What the caller gets when the function's error is too large to be sent on."""
    message = f"the error that the runtime reported has more than {names.MAX_ERROR_BODY} bytes"
    return faults.error_payload(faults.function_error_type(error_type), message)


def _not_found(path: str) -> Refusal:
    return Refusal(404, "NotFound", f"the Runtime API has no {path[:200]}")


def _wrong_method(head: RequestHead, method: str) -> Refusal:
    message = f"{head.path[:200]} takes {method}, not {head.method[:20]}"
    return Refusal(405, "MethodNotAllowed", message, headers={"Allow": method})
