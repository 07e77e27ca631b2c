"""One slot at work against a scripted server, the same way with every driver."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Sequence

import uvloop

from polylambda.errors import RuntimeApiError
from polylambda.rapi.address import Address
from polylambda.rapi.aio import AsyncClient, AsyncSink
from polylambda.rapi.blocking import BlockingClient, BlockingSink
from polylambda.rapi.events import Invocation
from polylambda.rapi.spares import Spares
from polylambda.report import ErrorReport
from tests.scripted import PATIENCE, ScriptedServer

DRIVERS = ("blocking", "asyncio", "uvloop")


class Stream:
    """An answer in pieces, with the error that cuts it short."""

    def __init__(self, pieces: Sequence[bytes], report: ErrorReport | None = None, content_type: str = "text/plain"):
        self.pieces = pieces
        self.report = report
        self.content_type = content_type


class Early:
    """A whole answer that is sent while the handler goes on."""

    def __init__(self, body: bytes) -> None:
        self.body = body


class Held:
    """An answer that the handler gives when the gate opens; an event loop goes on meanwhile."""

    def __init__(self, gate: threading.Event, answer: bytes) -> None:
        self.gate = gate
        self.answer = answer

    def wait(self) -> None:
        assert self.gate.wait(PATIENCE)


Answer = bytes | ErrorReport | Stream | Early | Held
Handler = Callable[[Invocation], Answer]


class Slot:
    """What a slot did: the invocations it got, and what steps of its streams raised."""

    def __init__(self) -> None:
        self.invocations: list[Invocation] = []
        self.failures: list[RuntimeApiError] = []

    @property
    def ids(self) -> list[str]:
        return [invocation.request_id for invocation in self.invocations]


def serve(
    driver: str,
    script: Callable[[ScriptedServer], None],
    handler: Handler = lambda invocation: b"answer",
    *,
    pipelining: bool = True,
    poll_first: bool = False,
    host: str = "127.0.0.1",
    name: str | None = None,
) -> Slot:
    """Run a slot against `script` until the script stops it; with `name`, reach the server by another name."""
    slot = Slot()
    with ScriptedServer(script, host=host) as server:
        address = Address(server.address if name is None else f"{name}:{server.address.rpartition(':')[2]}")
        if driver == "blocking":
            client = BlockingClient(address, pipelining=pipelining, poll_first=poll_first)
            _serve_blocking(server, client, handler, slot)
        else:
            loop_factory = uvloop.new_event_loop if driver == "uvloop" else asyncio.new_event_loop
            with asyncio.Runner(loop_factory=loop_factory) as runner:
                spares = Spares(address) if poll_first else None
                runner.run(_serve_async(server, address, handler, slot, pipelining=pipelining, spares=spares))
                if spares is not None:
                    spares.close()
    return slot


def _serve_blocking(server: ScriptedServer, client: BlockingClient, handler: Handler, slot: Slot) -> None:
    server.stop_client = client.stop
    try:
        while (invocation := client.next()) is not None:
            slot.invocations.append(invocation)
            answer = handler(invocation)
            if isinstance(answer, Held):
                answer.wait()
                answer = answer.answer
            if isinstance(answer, bytes):
                client.answer(invocation, answer, "application/json", poll=True)
            elif isinstance(answer, Early):
                BlockingSink(client, invocation).answer(answer.body, "application/json")
            elif isinstance(answer, ErrorReport):
                client.error(invocation, answer, poll=True)
            else:
                _send_stream(BlockingSink(client, invocation), answer, slot)
        client.settle()
    finally:
        client.close()


def _send_stream(sink: BlockingSink, stream: Stream, slot: Slot) -> None:
    try:
        sink.start(stream.content_type)
        for piece in stream.pieces:
            sink.send(piece)
        sink.end(stream.report)
    except RuntimeApiError as error:
        slot.failures.append(error)


async def _serve_async(
    server: ScriptedServer,
    address: Address,
    handler: Handler,
    slot: Slot,
    *,
    pipelining: bool,
    spares: Spares | None,
) -> None:
    worker = _AsyncWorker(address, handler, slot, pipelining=pipelining, spares=spares)
    server.stop_client = worker.stop
    await worker.run()


class _AsyncWorker:
    def __init__(
        self, address: Address, handler: Handler, slot: Slot, *, pipelining: bool, spares: Spares | None
    ) -> None:
        self._handler = handler
        self._slot = slot
        self._client = AsyncClient(address, self._received, pipelining=pipelining, spares=spares)
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._stops: list[threading.Event] = []
        self._ended = threading.Event()

    async def run(self) -> None:
        try:
            await self._client.run()
        finally:
            self._ended.set()
            for noticed in self._stops:
                noticed.set()
        assert not self._tasks

    def stop(self) -> None:
        """Stop the client from another thread, and return when it has taken notice."""

        def now() -> None:
            self._client.stop()
            noticed.set()

        noticed = threading.Event()
        self._stops.append(noticed)
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(now)
        if not self._ended.is_set():
            noticed.wait(PATIENCE)

    def _received(self, invocation: Invocation) -> None:
        self._slot.invocations.append(invocation)
        answer = self._handler(invocation)
        if isinstance(answer, bytes):
            self._client.answer(invocation, answer, "application/json")
        elif isinstance(answer, ErrorReport):
            self._client.error(invocation, answer)
        else:
            task = self._loop.create_task(self._respond(invocation, answer))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _respond(self, invocation: Invocation, answer: Stream | Early | Held) -> None:
        if isinstance(answer, Held):
            await asyncio.to_thread(answer.wait)
            self._client.answer(invocation, answer.answer, "application/json")
            return
        sink = AsyncSink(self._client, invocation)
        try:
            if isinstance(answer, Early):
                await sink.answer(answer.body, "application/json")
            else:
                sink.start(answer.content_type)
                for piece in answer.pieces:
                    await sink.send(piece)
                await sink.end(answer.report)
        except RuntimeApiError as error:
            self._slot.failures.append(error)
        finally:
            self._client.resume()
