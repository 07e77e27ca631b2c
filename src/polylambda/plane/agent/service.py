"""What an agent can be asked for: the requests of its protocol. `docs/agent-protocol.md` tells them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

import msgspec

from polylambda.errors import ProtocolError
from polylambda.plane.agent import protocol
from polylambda.plane.agent.delivery import Delivery
from polylambda.plane.router import Cause
from polylambda.plane.specs import EnvironmentSpec

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from polylambda.plane.agent.events import Events
    from polylambda.plane.agent.http import Connection, Request
    from polylambda.plane.agent.instance import Instance

MAX_DRAIN = 24 * 3600.0  # seconds

_spec_decoder = msgspec.json.Decoder(EnvironmentSpec)


class Service:
    """Serve the requests of planes."""

    def __init__(self, instance: Instance, events: Events) -> None:
        """Serve for `instance`; whoever asks for `events` gets them."""
        self._instance = instance
        self._events = events
        self._tasks: set[asyncio.Task[None]] = set()

    def serve(self, request: Request, connection: Connection) -> None:
        """Serve a request."""
        path = request.path
        if path.startswith(protocol.ENVIRONMENT_PREFIX):
            environment = path[len(protocol.ENVIRONMENT_PREFIX) :]
            if environment.endswith(protocol.INVOCATIONS) and request.method == "POST":
                self._invoke(environment[: -len(protocol.INVOCATIONS)], request, connection)
                return
            if request.method == "PUT":
                self._start(environment, request, connection)
                return
            if request.method == "DELETE":
                self._stop(environment, request, connection)
                return
        elif path == protocol.EVENTS_PATH and request.method == "GET":
            self._events.follow(connection)
            return
        elif path == protocol.ENVIRONMENTS_PATH and request.method == "GET":
            states = {environment.spec.id: environment.state.value for environment in self._instance}
            connection.reply(200, msgspec.json.encode(states))
            return
        elif path == protocol.ENVIRONMENTS_PATH and request.method == "DELETE":
            self._stop_all(request, connection)
            return
        connection.refuse(404, f"the agent has no {request.method[:20]} {path[:200]}")

    async def close(self) -> None:
        """Wait until every request has been answered; everything they wait for must have ended."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _invoke(self, environment_id: str, request: Request, connection: Connection) -> None:
        environment = self._instance.get(environment_id)
        if environment is None:
            cause = {protocol.CAUSE_HEADER: Cause.CONCURRENCY.value}
            connection.refuse(404, f"there is no environment {environment_id[:64]} here", headers=cause)
            return
        try:
            head = protocol.decode_invocation(request.headers.get(protocol.INVOCATION_HEADER, b""))
        except ProtocolError as error:
            connection.refuse(400, str(error))
        else:
            self._begin(Delivery(environment, head, request.body, connection).run())

    def _start(self, environment: str, request: Request, connection: Connection) -> None:
        try:
            spec = _spec_decoder.decode(request.body)
        except msgspec.DecodeError as error:
            connection.refuse(400, f"the body is no EnvironmentSpec: {error}")
            return
        if spec.id != environment or not spec.id.isalnum():
            connection.refuse(
                400, f"the path names environment {environment[:64]}, the body {spec.id[:64]}: letters and digits"
            )
        elif self._instance.start(spec):
            connection.reply(202, b"{}")
        else:
            connection.refuse(409, f"there is an environment {spec.id} here; give another one another id")

    def _stop(self, environment_id: str, request: Request, connection: Connection) -> None:
        environment = self._instance.get(environment_id)
        drain = _drain(request)
        if drain is None:
            connection.refuse(400, "drain is a number of seconds")
        elif environment is None:
            connection.refuse(404, f"there is no environment {environment_id[:64]} here")
        else:
            environment.stop(drain)
            connection.reply(202, b"{}")

    def _stop_all(self, request: Request, connection: Connection) -> None:
        async def stop(drain: float) -> None:
            await self._instance.stop(drain)
            connection.reply(200, b"{}")

        drain = _drain(request)
        if drain is None:
            connection.refuse(400, "drain is a number of seconds")
        else:
            self._begin(stop(drain))

    def _begin(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        task.result()  # a defect of ours is not to be passed over


def _drain(request: Request) -> float | None:
    """The seconds that a request gives to what is under way; None: that is no number of seconds."""
    try:
        seconds = float(parse_qs(request.query).get("drain", ["0"])[0])
    except ValueError:
        return None
    return seconds if 0 <= seconds <= MAX_DRAIN else None
