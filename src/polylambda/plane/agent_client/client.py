"""An agent, as the plane speaks with it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Self

import msgspec

from polylambda.plane.agent.protocol import (
    ENVIRONMENT_PREFIX,
    ENVIRONMENTS_PATH,
    EVENTS_PATH,
    INVOCATION_HEADER,
    INVOCATIONS,
    SILENCE,
    Event,
    InvocationHead,
    encode_invocation,
)
from polylambda.plane.agent_client.connection import Connection
from polylambda.plane.agent_client.errors import AgentError, AgentLost
from polylambda.plane.agent_client.exchanges import EventsExchange, InvocationExchange, SmallExchange
from polylambda.plane.agent_client.response import AgentResponse
from polylambda.server.invocation import Outcome

if TYPE_CHECKING:
    from polylambda.plane.specs import EnvironmentSpec
    from polylambda.server.invocation import Invocation

OnEvent = Callable[[Event], None]
OnLost = Callable[[str], None]

OK, ACCEPTED, NOT_FOUND = 200, 202, 404
LAST_MOMENT = 0.2  # seconds

_PREFIX = ENVIRONMENT_PREFIX.encode()
_SUFFIX = INVOCATIONS.encode()
_HEADER = INVOCATION_HEADER.encode()


class AgentClient:
    """Speak with one agent: `async with AgentClient(...) as client`. It belongs to the event loop that it is used in."""

    def __init__(self, host: str, port: int, token: str, *, on_event: OnEvent, on_lost: OnLost) -> None:
        """Describe the agent at `host` and `port`.

        Args:
            host: where it listens.
            port: TCP port.
            token: that it asks for.
            on_event: is called with each of its events, in their order.
            on_lost: is called once, with a sentence, when the agent is lost: it is silent for 3 seconds, or its stream of
                events ended. Everything under way has failed by then, and everything after it fails. Not called after
                `close`.
        """
        self._host = host
        self._port = port
        self._authorization = f"Host: {host}:{port}\r\nAuthorization: Bearer {token}\r\n".encode()
        self._on_event = on_event
        self._on_lost = on_lost
        self._idle: list[Connection] = []
        self._connections: set[Connection] = set()
        self._events: EventsExchange | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._over = ""  # why there is no agent any more

    async def __aenter__(self) -> Self:
        """Follow its events. Raises AgentLost when it cannot be reached."""
        events = EventsExchange(self._on_event, self._lost)
        connection = await self._connect()
        connection.send(self._request("GET", EVENTS_PATH), events)
        try:
            async with asyncio.timeout(SILENCE):
                await events.begun
        except TimeoutError:
            await self.close()
            raise AgentLost(f"the agent at {self._host}:{self._port} does not answer", delivered=False) from None
        except BaseException:
            await self.close()
            raise
        self._events = events
        self._watch = asyncio.get_running_loop().call_later(SILENCE, self._check_silence, events, False)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Close every connection."""
        await self.close()

    async def close(self) -> None:
        """Close every connection; what is under way fails, and whatever comes. May be called twice."""
        self._end("this plane let go of the agent")
        await asyncio.sleep(0)  # transports tell that they are closed in the next turn of the loop

    @property
    def lost(self) -> bool:
        """Whether the agent is gone, or was let go of."""
        return bool(self._over)

    async def start_environment(self, spec: EnvironmentSpec) -> None:
        """Have an environment started; events tell how that goes.

        Raises:
            AgentError: there is one with its id.
            AgentLost: the agent is gone.
        """
        status, message = await self._ask("PUT", f"{ENVIRONMENT_PREFIX}{spec.id}", msgspec.json.encode(spec))
        if status != ACCEPTED:
            raise AgentError(status, f"the agent does not start environment {spec.id}: {message}")

    async def stop_environment(self, environment: str, *, drain: float) -> None:
        """Have an environment stopped, after what it holds has been answered or `drain` seconds. Events tell how it goes.

        One that is not there (any more) is no error.

        Raises:
            AgentLost: the agent is gone.
        """
        status, message = await self._ask("DELETE", f"{ENVIRONMENT_PREFIX}{environment}?drain={drain:f}")
        if status not in (ACCEPTED, NOT_FOUND):
            raise AgentError(status, f"the agent does not stop environment {environment}: {message}")

    async def stop_all(self, *, drain: float) -> None:
        """Have all environments stopped, as `stop_environment` does, and return when they are.

        Raises:
            AgentLost: the agent is gone.
        """
        status, message = await self._ask("DELETE", f"{ENVIRONMENTS_PATH}?drain={drain:f}")
        if status != OK:
            raise AgentError(status, f"the agent does not stop its environments: {message}")

    async def invoke(
        self,
        environment: str,
        invocation: Invocation,
        *,
        tail: bool = False,
        on_end: Callable[[AgentResponse], None] | None = None,
    ) -> AgentResponse:
        """Have an environment run `invocation`; return as soon as the head of its answer is known.

        A buffered answer is whole by then. When the agent is lost later than that, the answer ends with
        `Outcome.FAILURE` and `Sandbox.Failure`. Cancelling does not stop the function; its answer is thrown away.

        Args:
            environment: id of the environment.
            invocation: what to run.
            tail: whether the end of its log is wanted.
            on_end: called once, synchronously, when the answer has ended in whatever way, also when nobody reads it any
                more, and when `invoke` was cancelled. Not called when `invoke` raises one of the errors below.

        Raises:
            Refused: the environment does not take it; its runtime has not seen it.
            AgentLost: the agent is gone; its `delivered` says whether another environment may have the invocation.
            AgentError: the agent does not understand the invocation.
        """
        response = AgentResponse(invocation.request_id, on_end)
        try:
            connection = self._take_idle() or await self._connect()
        except asyncio.CancelledError:
            response.end(Outcome.FAILURE)
            raise
        exchange = InvocationExchange(response)
        head = encode_invocation(InvocationHead.of(invocation, tail=tail))
        payload = invocation.payload
        connection.send(
            b"POST %b%b%b HTTP/1.1\r\n%b%b: %b\r\nContent-Length: %d\r\n\r\n%b"
            % (_PREFIX, environment.encode(), _SUFFIX, self._authorization, _HEADER, head, len(payload), payload),
            exchange,
        )
        try:
            await response.wait_for_head()
        except asyncio.CancelledError:
            response.discard()
            if exchange.failure is not None:  # there was an end, at the same moment
                response.end(Outcome.FAILURE)
            raise
        if exchange.failure is not None:
            response.forget()
            raise exchange.failure
        return response

    # Inside

    async def _ask(self, method: str, target: str, body: bytes = b"") -> tuple[int, str]:
        """Send a request; return the reply's status and sentence. Raises AgentLost."""
        exchange = SmallExchange()
        connection = self._take_idle() or await self._connect()
        connection.send(self._request(method, target, body), exchange)
        status = await exchange.reply
        return status, exchange.message

    def _request(self, method: str, target: str, body: bytes = b"") -> bytes:
        line = f"{method} {target} HTTP/1.1\r\n".encode()
        return line + self._authorization + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)

    def _take_idle(self) -> Connection | None:
        """Return a connection that nobody uses; the one used last, so that few are kept busy."""
        while self._idle:
            connection = self._idle.pop()
            if connection.usable:
                return connection
        return None

    async def _connect(self) -> Connection:
        if self._over:
            raise AgentLost(f"the agent is gone: {self._over}", delivered=False)
        loop = asyncio.get_running_loop()
        try:
            _, connection = await loop.create_connection(
                lambda: Connection(self._idle.append, self._closed), self._host, self._port
            )
        except OSError as error:
            message = f"the agent at {self._host}:{self._port} cannot be reached: {error}"
            raise AgentLost(message, delivered=False) from error
        if self._over:  # meanwhile
            connection.abort(self._over)
            raise AgentLost(f"the agent is gone: {self._over}", delivered=False)
        self._connections.add(connection)
        return connection

    def _closed(self, connection: Connection) -> None:
        self._connections.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)

    def _lost(self, reason: str) -> None:
        """Take it that the agent is gone, and say so, once."""
        if not self._over:
            self._end(reason)
            self._on_lost(reason)

    def _end(self, reason: str) -> None:
        self._over = self._over or reason
        if self._watch is not None:
            self._watch.cancel()
        self._idle.clear()
        for connection in tuple(self._connections):
            connection.abort(self._over)

    def _check_silence(self, events: EventsExchange, warned: bool) -> None:
        """Look whether the agent has been silent for too long.

        It is given a last moment, in which what has come in is read: perhaps it was this plane that stood still.
        """
        loop = asyncio.get_running_loop()
        left = events.heard_at + SILENCE - loop.time()
        if left > 0:
            self._watch = loop.call_later(left, self._check_silence, events, False)
        elif not warned:
            self._watch = loop.call_later(LAST_MOMENT, self._check_silence, events, True)
        else:
            self._lost(f"it has been silent for {SILENCE:g} seconds")
