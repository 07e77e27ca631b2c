"""What only the asynchronous client has: cancellation, backpressure, many slots on one loop, and nothing left behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import threading
import types
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvloop

from polylambda.errors import ConnectionLost, Refused
from polylambda.rapi import policy
from polylambda.rapi.address import Address
from polylambda.rapi.aio import AsyncClient, AsyncSink
from polylambda.rapi.events import Invocation
from polylambda.report import report
from tests import scripted
from tests.integration.test_blocking_client import Recording, predecessor
from tests.scripted import PATIENCE, Peer, ScriptedServer

MEBIBYTE = 1024 * 1024
LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture(params=LOOPS)
def loop_kind(request: pytest.FixtureRequest) -> str:
    return request.param


def run(loop_kind: str, main: Coroutine[Any, Any, None]) -> None:
    """Run `main` and see that it leaves no callback and no task behind; a socket left open is a warning, so an error."""
    with asyncio.Runner(loop_factory=LOOPS[loop_kind]) as runner:
        runner.run(_nothing_left(main))


async def _nothing_left(main: Coroutine[Any, Any, None]) -> None:
    await main
    assert_nothing_left()


def assert_nothing_left(port: int | None = None) -> None:
    """Fail when the running loop has another task or watches a descriptor, or a socket is connected to `port`."""
    assert asyncio.all_tasks() == {asyncio.current_task()}
    selector = getattr(asyncio.get_running_loop(), "_selector", None)
    if selector is not None:  # uvloop does not show its own
        assert len(selector.get_map()) == 1  # the loop's own pipe
    assert port not in list(connected_ports())


def connected_ports() -> Iterator[int]:
    """The ports that sockets of this process are connected to."""
    for fd in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            if not str(fd.readlink()).startswith("socket:"):
                continue
            with socket.socket(fileno=os.dup(int(fd.name))) as sock:
                if sock.family in (socket.AF_INET, socket.AF_INET6):
                    yield sock.getpeername()[1]


def willing(server: ScriptedServer) -> None:
    """A server that hands out events, takes every answer, and begins anew with whoever hangs up."""
    number = 0
    with contextlib.suppress(OSError):
        while True:
            peer = server.accept()
            with contextlib.suppress(EOFError, ConnectionError):
                while True:
                    request = peer.request()
                    if request.method == "GET":
                        number += 1
                        peer.send_event(f"id-{number}")
                    else:
                        peer.reply(202, close=request.is_streamed)
            peer.close()


class Worker:
    """Handlers of every kind in turn: an answer at once, one after a while, an early one, a stream."""

    def __init__(self, address: Address) -> None:
        self.client = AsyncClient(address, self.received)
        self.served: list[str] = []
        self.answered: list[str] = []
        self.tasks: set[asyncio.Task[None]] = set()

    def received(self, invocation: Invocation) -> None:
        self.served.append(invocation.request_id)
        if len(self.served) % 4 == 0:
            self.client.answer(invocation, b"at once", "text/plain")
            self.answered.append(invocation.request_id)
            return
        task = asyncio.create_task(self.handle(invocation, len(self.served) % 4))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def handle(self, invocation: Invocation, kind: int) -> None:
        sink = AsyncSink(self.client, invocation)
        if kind == 1:
            await asyncio.sleep(0)
            self.client.answer(invocation, b"after a while", "text/plain")
            self.answered.append(invocation.request_id)
            return
        try:
            if kind == 2:
                await sink.answer(b"early", "text/plain")
            else:
                sink.start("text/plain")
                await sink.send(b"piece")
                await sink.send(b"x" * MEBIBYTE)
                await sink.end(None)
            self.answered.append(invocation.request_id)
        finally:
            self.client.resume()

    async def close(self) -> None:
        """End the handlers, as the runtime's worker does when its client ends."""
        for task in self.tasks:
            task.cancel()
        if self.tasks:
            await asyncio.wait(self.tasks)


class TestCancellation:
    @pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
    def test_at_every_await(self, loop_kind: str, name: str):
        """`run` is cut off at its first await, then at its second, and so on through some invocations of every kind."""

        async def cut_off_at(number: int, address: Address) -> None:
            worker = Worker(address)
            task = asyncio.create_task(cancelling_at(number, worker.client.run()))
            await asyncio.wait([task])
            assert task.cancelled()
            await worker.close()

        async def main(server: ScriptedServer) -> None:
            address = Address(f"{name}:{server.address.rpartition(':')[2]}")
            for number in range(40):
                await cut_off_at(number, address)
                assert_nothing_left(address.port)

        with ScriptedServer(willing) as server:
            run(loop_kind, finally_close(server, main(server)))

    def test_while_tries_are_apart(self, loop_kind: str, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(policy, "_DELAYS", (1e6,))

        async def main() -> None:
            with socket.socket() as unused:
                unused.bind(("127.0.0.1", 0))
                address = Address(f"127.0.0.1:{unused.getsockname()[1]}")
                for number in range(2):  # connecting, and the pause behind it
                    client = AsyncClient(address, lambda invocation: None)
                    task = asyncio.create_task(cancelling_at(number, client.run()))
                    await asyncio.wait([task])
                    assert task.cancelled()

        run(loop_kind, main())


@types.coroutine
def _cancelling(number: int, coroutine: Coroutine[Any, Any, None]) -> Generator[Any, Any, None]:
    value: Any = None
    error: BaseException | None = None
    while True:
        try:
            waited_for = coroutine.send(value) if error is None else coroutine.throw(error)
        except StopIteration:
            return
        value = error = None
        if number == 0:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
        number -= 1
        try:
            value = yield waited_for
        except BaseException as thrown:
            error = thrown


async def cancelling_at(number: int, coroutine: Coroutine[Any, Any, None]) -> None:
    """Run `coroutine`, and cancel it at its await with that number, counted from 0."""
    await _cancelling(number, coroutine)


async def finally_close(server: ScriptedServer, main: Coroutine[Any, Any, None]) -> None:
    try:
        await main
    finally:
        server.close()


class TestStopping:
    def test_after_any_number_of_turns(self, loop_kind: str):
        """Whatever the client is at: `run` returns, and every event that it handed out is answered."""

        async def main(server: ScriptedServer) -> None:
            for turns in range(60):
                worker = Worker(Address(server.address))
                task = asyncio.create_task(worker.client.run())
                for _ in range(turns):
                    await asyncio.sleep(0)
                worker.client.stop()
                await task
                assert worker.answered == worker.served
                assert not worker.tasks

        with ScriptedServer(willing) as server:
            run(loop_kind, finally_close(server, main(server)))

    def test_while_connecting(self, loop_kind: str):
        """A listener with a full backlog lets nobody in."""

        async def main() -> None:
            with socket.socket() as listener, socket.socket() as filler:
                listener.bind(("127.0.0.1", 0))
                listener.listen(0)
                filler.connect(listener.getsockname())
                port = listener.getsockname()[1]
                client = AsyncClient(Address(f"127.0.0.1:{port}"), lambda invocation: None)
                task = asyncio.create_task(client.run())
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                assert not task.done()
                client.stop()
                await task

        run(loop_kind, main())

    def test_while_a_name_is_looked_up(self, loop_kind: str):
        looking, found = threading.Event(), threading.Event()

        class Slow(Address):
            def resolve(self, *, numeric: bool = False) -> list[tuple[int, Any]]:
                if numeric:
                    return []
                looking.set()
                assert found.wait(PATIENCE)
                return super().resolve()

        async def main() -> None:
            client = AsyncClient(Slow("127.0.0.1:9"), lambda invocation: None)
            task = asyncio.create_task(client.run())
            assert await asyncio.to_thread(looking.wait, PATIENCE)
            client.stop()
            await task
            found.set()
            await asyncio.get_running_loop().shutdown_default_executor()

        run(loop_kind, main())

    def test_an_event_that_has_arrived_is_served(self, loop_kind: str):
        polled, on_its_way, sent = threading.Event(), threading.Event(), threading.Event()

        def script(server: ScriptedServer) -> None:
            peer = server.accept()
            peer.poll()
            polled.set()
            assert on_its_way.wait(PATIENCE)
            peer.send_event("id-1")
            sent.set()
            peer.answer("id-1")
            peer.reply(202)
            assert peer.rest() == b""

        async def main(server: ScriptedServer) -> None:
            served: list[str] = []

            def received(invocation: Invocation) -> None:
                served.append(invocation.request_id)
                client.answer(invocation, b"x", "text/plain")

            client = AsyncClient(Address(server.address), received)
            task = asyncio.create_task(client.run())
            await asyncio.to_thread(polled.wait, PATIENCE)
            on_its_way.set()
            assert sent.wait(PATIENCE)  # the loop does not turn: the event is in the kernel's hands
            assert served == []
            client.stop()
            assert served == ["id-1"]
            await task

        with ScriptedServer(script) as server:
            run(loop_kind, main(server))


class TestStreams:
    def streaming(
        self,
        loop_kind: str,
        script: Callable[[ScriptedServer], None],
        handler: Callable[[AsyncSink], Awaitable[None]],
    ) -> None:
        """Run one handler that streams, and stop."""

        async def main(server: ScriptedServer) -> None:
            tasks: list[asyncio.Task[None]] = []

            async def handle(invocation: Invocation) -> None:
                sink = AsyncSink(client, invocation)
                try:
                    sink.start("text/plain")
                    await handler(sink)
                finally:
                    client.stop()
                    client.resume()

            client = AsyncClient(
                Address(server.address), lambda invocation: tasks.append(asyncio.create_task(handle(invocation)))
            )
            await client.run()
            await asyncio.gather(*tasks)

        with ScriptedServer(script) as server:
            run(loop_kind, main(server))

    @staticmethod
    def begin(server: ScriptedServer) -> Peer:
        peer = server.accept()
        peer.poll()
        peer.send_event("id-1")
        return peer

    def test_a_writer_waits_for_a_slow_reader(self, loop_kind: str):
        waits = threading.Event()

        def script(server: ScriptedServer) -> None:
            peer = self.begin(server)
            peer.head()
            assert waits.wait(PATIENCE)
            size = 0
            while chunk := peer.chunk():
                size += len(chunk)
            assert peer.take(2) == b"\r\n"
            assert size == 65 * MEBIBYTE
            peer.reply(202)

        async def handler(sink: AsyncSink) -> None:
            await sink.send(b"x" * MEBIBYTE)
            sending = asyncio.ensure_future(_await(sink.send(b"x" * 64 * MEBIBYTE)))
            await asyncio.sleep(0)
            assert not sending.done()
            waits.set()
            await sending
            await sink.end(None)

        self.streaming(loop_kind, script, handler)

    def test_a_writer_that_gives_up_does_not_take_others_with_it(self, loop_kind: str):
        waits = threading.Event()

        def script(server: ScriptedServer) -> None:
            peer = self.begin(server)
            peer.head()
            assert waits.wait(PATIENCE)
            while peer.chunk():
                pass
            assert peer.take(2) == b"\r\n"
            peer.reply(202)

        async def handler(sink: AsyncSink) -> None:
            writers = [asyncio.ensure_future(_await(sink.send(b"x" * 16 * MEBIBYTE))) for _ in range(3)]
            await asyncio.sleep(0)
            writers[1].cancel()
            await asyncio.sleep(0)
            waits.set()
            results = await asyncio.gather(*writers, return_exceptions=True)
            assert [type(result) for result in results] == [types.NoneType, asyncio.CancelledError, types.NoneType]
            await sink.end(None)

        self.streaming(loop_kind, script, handler)

    def test_who_gives_up_waiting_for_the_reply_does_not_end_the_wait_of_others(self, loop_kind: str):
        gave_up = threading.Event()

        def script(server: ScriptedServer) -> None:
            peer = self.begin(server)
            peer.answer("id-1")
            assert gave_up.wait(PATIENCE)
            peer.reply(202)

        async def handler(sink: AsyncSink) -> None:
            ended = asyncio.ensure_future(_await(sink.end(None)))
            await asyncio.sleep(0)
            ended.cancel()
            await asyncio.wait([ended])
            gave_up.set()
            assert sink.ended is not None
            await sink.ended

        self.streaming(loop_kind, script, handler)

    @pytest.mark.parametrize("awaited", [True, False])
    def test_a_refusal_at_the_end(self, loop_kind: str, awaited: bool, recwarn: pytest.WarningsRecorder):
        def script(server: ScriptedServer) -> None:
            peer = self.begin(server)
            peer.answer("id-1")
            peer.reply(413, "Large")

        async def handler(sink: AsyncSink) -> None:
            ended = sink.end(None)
            if awaited:
                with pytest.raises(Refused, match="413 Large"):
                    await ended
            else:
                assert sink.ended is not None
                await asyncio.wait([sink.ended])
            with pytest.raises(Refused, match="413 Large"):
                sink.send(b"more")

        self.streaming(loop_kind, script, handler)

    def test_a_writer_that_waits_when_the_connection_dies(self, loop_kind: str):
        waits = threading.Event()

        def script(server: ScriptedServer) -> None:
            peer = self.begin(server)
            peer.head()
            assert waits.wait(PATIENCE)
            peer.reset()

        async def handler(sink: AsyncSink) -> None:
            sending = asyncio.ensure_future(_await(sink.send(b"x" * 64 * MEBIBYTE)))
            await asyncio.sleep(0)
            waits.set()
            await sending
            for step in (lambda: sink.send(b"x"), lambda: sink.end(None)):
                with pytest.raises(ConnectionLost, match="AWS_LAMBDA_RUNTIME_API"):
                    step()

        self.streaming(loop_kind, script, handler)

    def test_the_runtime_ends_under_a_stream(self, loop_kind: str):
        streaming = threading.Event()

        def script(server: ScriptedServer) -> None:
            peer = self.begin(server)
            peer.head()
            assert peer.chunk() == b"x"
            streaming.set()
            peer.rest()

        async def main(server: ScriptedServer) -> None:
            sinks: list[AsyncSink] = []

            def received(invocation: Invocation) -> None:
                sinks.append(AsyncSink(client, invocation))
                sinks[0].start("text/plain")
                sinks[0].send(b"x")

            client = AsyncClient(Address(server.address), received)
            task = asyncio.create_task(client.run())
            assert await asyncio.to_thread(streaming.wait, PATIENCE)
            task.cancel()
            await asyncio.wait([task])
            with pytest.raises(ConnectionLost):
                sinks[0].send(b"y")
            await asyncio.get_running_loop().shutdown_default_executor()

        with ScriptedServer(script) as server:
            run(loop_kind, main(server))


async def _await(awaitable: Awaitable[None]) -> None:
    await awaitable


def test_one_of_eight_slots_loses_its_connection(loop_kind: str):
    """The others do not notice, and it comes back."""

    def script(server: ScriptedServer) -> None:
        peers = [server.accept() for _ in range(8)]
        for peer in peers:
            peer.poll()
        peers[3].reset()
        again = server.accept()
        again.poll()
        peers[3] = again
        for number, peer in enumerate(peers):
            peer.send_event(f"id-{number}")
        for number, peer in enumerate(peers):
            peer.answer(f"id-{number}")
            peer.poll()
            peer.send(scripted.reply(202))
        server.stop_client()

    async def main(server: ScriptedServer) -> None:
        loop = asyncio.get_running_loop()
        clients: list[AsyncClient] = []

        def stop() -> None:
            for client in clients:
                client.stop()

        def slot() -> AsyncClient:
            client = AsyncClient(
                Address(server.address), lambda invocation: client.answer(invocation, b"", "text/plain")
            )
            return client

        server.stop_client = lambda: loop.call_soon_threadsafe(stop)
        clients += [slot() for _ in range(8)]
        await asyncio.gather(*(client.run() for client in clients))

    with ScriptedServer(script) as server:
        run(loop_kind, main(server))


class Slot:
    """A client whose invocations the test takes and answers one by one."""

    def __init__(self, server: ScriptedServer, keeper: Recording | None = None, **options: Any) -> None:
        self.client = AsyncClient(Address(server.address), self.received, keeper=keeper, **options)
        self.invocations: asyncio.Queue[Invocation] = asyncio.Queue()
        self.running = asyncio.create_task(self.client.run())

    def received(self, invocation: Invocation) -> None:
        self.invocations.put_nowait(invocation)

    async def next(self) -> Invocation:
        async with asyncio.timeout(PATIENCE):
            return await self.invocations.get()

    async def stop(self) -> None:
        self.client.stop()
        await self.running


class TestKeeper:
    def test_every_step_is_told(self, loop_kind: str):
        def script(server: ScriptedServer) -> None:
            peer = server.accept()
            peer.poll()
            peer.send_event("id-1")
            peer.answer("id-1")
            peer.poll()
            peer.send(scripted.reply(202) + scripted.event("id-2"))
            peer.answer("id-2", "error")
            peer.poll()
            peer.reply(202)
            peer.rest()

        async def main(server: ScriptedServer) -> None:
            slot = Slot(server, keeper)
            slot.client.answer(await slot.next(), b"{}", "application/json")
            slot.client.error(await slot.next(), report(ValueError("no luck")))
            await slot.stop()

        keeper = Recording()
        with ScriptedServer(script) as server:
            run(loop_kind, main(server))

        answered = ["answering", "polling"]
        assert keeper.steps == [
            "opened",
            "polling",
            *("id-1 arrives", "id-1 received", *answered),
            *("id-2 arrives", "id-2 received", *answered),
            "closed",
        ]

    def test_without_pipelining_a_poll_follows_the_reply(self, loop_kind: str):
        def script(server: ScriptedServer) -> None:
            peer = server.accept()
            peer.poll()
            peer.send_event("id-1")
            peer.answer("id-1")
            peer.reply(202)
            peer.poll()
            peer.send_event("id-2")
            peer.answer("id-2")
            peer.reply(202)
            peer.rest()

        async def main(server: ScriptedServer) -> None:
            slot = Slot(server, keeper, pipelining=False)
            slot.client.answer(await slot.next(), b"{}", "application/json")
            last = await slot.next()
            slot.client.stop()
            slot.client.answer(last, b"{}", "application/json")
            await slot.running

        keeper = Recording()
        with ScriptedServer(script) as server:
            run(loop_kind, main(server))

        assert keeper.steps[3:] == ["id-1 received", "polling", "id-2 arrives", "id-2 received", "closed"]

    def test_a_large_answer_is_told_before_its_first_byte_and_the_poll_after_its_last(self, loop_kind: str):
        def script(server: ScriptedServer) -> None:
            peer = server.accept()
            peer.poll()
            peer.send_event("id-1")
            peer.head()
            server.stop_client()  # returns when the client has written all that it can
            peer.take(32 * MEBIBYTE)
            peer.poll()
            polled.set()
            peer.reply(202)
            peer.rest()

        async def main(server: ScriptedServer) -> None:
            loop, looked, done = asyncio.get_running_loop(), threading.Event(), asyncio.Event()

            def look() -> None:
                seen.extend(keeper.steps)
                looked.set()
                done.set()

            def from_the_script() -> None:
                loop.call_soon_threadsafe(look)
                assert looked.wait(PATIENCE)

            server.stop_client = from_the_script
            slot = Slot(server, keeper)
            slot.client.answer(await slot.next(), bytes(32 * MEBIBYTE), "application/json")
            await done.wait()
            assert await asyncio.to_thread(polled.wait, PATIENCE)
            await slot.stop()

        seen: list[str] = []
        polled = threading.Event()
        keeper = Recording()
        with ScriptedServer(script) as server:
            run(loop_kind, main(server))

        assert seen == ["opened", "polling", "id-1 arrives", "id-1 received"]
        assert keeper.steps[4:] == ["polling", "closed"]

    def test_a_broken_connection_is_told_before_the_next_one(self, loop_kind: str):
        def script(server: ScriptedServer) -> None:
            peer = server.accept()
            peer.poll()
            peer.close()
            peer = server.accept()
            peer.poll()
            peer.send_event("id-1")
            peer.answer("id-1")
            peer.poll()
            peer.reply(202)
            peer.rest()

        async def main(server: ScriptedServer) -> None:
            slot = Slot(server, keeper)
            slot.client.answer(await slot.next(), b"{}", "application/json")
            await slot.stop()

        keeper = Recording()
        with ScriptedServer(script) as server:
            run(loop_kind, main(server))

        assert keeper.steps[:6] == ["opened", "polling", "closed", "opened", "polling", "id-1 arrives"]

    @pytest.mark.parametrize("replied", [True, False], ids=["the reply to its answer is to come", "it was read"])
    def test_a_predecessors_connection_is_taken_over_poll_and_all(self, loop_kind: str, replied: bool):
        def script(server: ScriptedServer) -> None:
            peer = server.accept()
            peer.answer("id-0")
            peer.poll()
            peer.send((scripted.reply(202) if replied else b"") + scripted.event("id-1", b'{"a": 1}'))
            peer.answer("id-1")
            peer.poll()
            peer.reply(202)
            peer.rest()

        async def main(server: ScriptedServer) -> None:
            slot = Slot(server, keeper)
            invocation = await slot.next()
            assert (invocation.request_id, invocation.payload) == ("id-1", b'{"a": 1}')
            slot.client.answer(invocation, b"{}", "application/json")
            await slot.stop()

        with ScriptedServer(script) as server:
            keeper = Recording(predecessor(server))
            run(loop_kind, main(server))

        assert keeper.steps == ["id-1 arrives", "id-1 received", "answering", "polling", "closed"]

    def test_a_predecessors_connection_that_is_broken_is_replaced(self, loop_kind: str):
        def script(server: ScriptedServer) -> None:
            peer = server.accept()
            peer.answer("id-0")
            peer.poll()
            peer.close()
            peer = server.accept()
            peer.poll()
            peer.send_event("id-1")
            peer.rest()

        async def main(server: ScriptedServer) -> None:
            slot = Slot(server, keeper)
            assert (await slot.next()).request_id == "id-1"
            slot.running.cancel()
            await asyncio.wait([slot.running])

        with ScriptedServer(script) as server:
            keeper = Recording(predecessor(server))
            run(loop_kind, main(server))

        assert keeper.steps == ["closed", "opened", "polling", "id-1 arrives", "id-1 received", "closed"]


class TestGivingTheSlotBack:
    """An answer whose handler goes on without the slot: see `AsyncClient.answer_early`."""

    def test_the_poll_is_behind_the_answer_and_the_next_event_comes_meanwhile(self, loop_kind: str):
        def script(server: ScriptedServer) -> None:
            peer = server.accept()
            peer.poll()
            peer.send_event("id-1")
            assert peer.answer("id-1").body == b"early"
            peer.poll()  # before the reply: both came together
            peer.send(scripted.reply(202) + scripted.event("id-2"))
            assert peer.answer("id-2").body == b"second"
            peer.poll()
            peer.reply(202)
            peer.rest()

        async def main(server: ScriptedServer) -> None:
            slot = Slot(server)
            sink = AsyncSink(slot.client, await slot.next(), lambda: True)
            await sink.answer(b"early", "text/plain")
            assert sink.detached
            slot.client.answer(await slot.next(), b"second", "text/plain")
            await slot.stop()

        with ScriptedServer(script) as server:
            run(loop_kind, main(server))

    @pytest.mark.parametrize("detach", [None, lambda: False], ids=["not asked for", "no room"])
    def test_else_the_poll_waits_for_the_handlers_end(self, loop_kind: str, detach: Callable[[], bool] | None):
        def script(server: ScriptedServer) -> None:
            peer = server.accept()
            peer.poll()
            peer.send_event("id-1")
            assert peer.answer("id-1").body == b"early"
            peer.reply(202)
            steps.append(peer.head().method)
            polled.set()
            peer.rest()

        async def main(server: ScriptedServer) -> None:
            slot = Slot(server)
            sink = AsyncSink(slot.client, await slot.next(), detach)
            await sink.answer(b"early", "text/plain")
            assert not sink.detached
            steps.append("the handler ends")
            slot.client.resume()
            assert await asyncio.to_thread(polled.wait, PATIENCE)
            await slot.stop()

        steps: list[str] = []
        polled = threading.Event()
        with ScriptedServer(script) as server:
            run(loop_kind, main(server))
        assert steps == ["the handler ends", "GET"]

    def test_a_refusal_of_the_answer_frees_its_waiter_and_nothing_else(self, loop_kind: str):
        def script(server: ScriptedServer) -> None:
            peer = server.accept()
            peer.poll()
            peer.send_event("id-1")
            peer.answer("id-1")
            peer.poll()
            peer.send(scripted.reply(400, "InvalidRequestID") + scripted.event("id-2"))
            peer.answer("id-2")
            peer.poll()
            peer.reply(202)
            peer.rest()

        async def main(server: ScriptedServer) -> None:
            slot = Slot(server)
            await AsyncSink(slot.client, await slot.next(), lambda: True).answer(b"early", "text/plain")
            slot.client.answer(await slot.next(), b"second", "text/plain")
            await slot.stop()

        with ScriptedServer(script) as server:
            run(loop_kind, main(server))

    def test_an_answer_that_was_lost_goes_out_again(self, loop_kind: str):
        def script(server: ScriptedServer) -> None:
            peer = server.accept()
            peer.poll()
            peer.send_event("id-1")
            peer.answer("id-1")
            peer.poll()
            peer.close()
            peer = server.accept()
            assert peer.answer("id-1").body == b"early"
            peer.reply(202)
            peer.poll()
            peer.send_event("id-2")
            peer.rest()

        async def main(server: ScriptedServer) -> None:
            slot = Slot(server)
            await AsyncSink(slot.client, await slot.next(), lambda: True).answer(b"early", "text/plain")
            assert (await slot.next()).request_id == "id-2"
            slot.running.cancel()
            await asyncio.wait([slot.running])

        with ScriptedServer(script) as server:
            run(loop_kind, main(server))

    def test_the_slot_polls_again_when_the_platform_has_a_whole_stream(self, loop_kind: str):
        def script(server: ScriptedServer) -> None:
            peer = server.accept()
            peer.poll()
            peer.send_event("id-1")
            assert peer.answer("id-1").body == b"piece"
            peer.reply(202, close=True)
            peer = server.accept()
            peer.poll()
            peer.send_event("id-2")
            peer.rest()

        async def main(server: ScriptedServer) -> None:
            slot = Slot(server)
            sink = AsyncSink(slot.client, await slot.next(), lambda: True)
            sink.start("text/plain")
            await sink.send(b"piece")
            await sink.end(None)
            assert sink.detached
            assert (await slot.next()).request_id == "id-2"
            slot.running.cancel()
            await asyncio.wait([slot.running])

        with ScriptedServer(script) as server:
            run(loop_kind, main(server))
