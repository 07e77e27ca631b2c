"""Starting and stopping the Runtime API server."""

from __future__ import annotations

import asyncio
import errno
import socket
from typing import Any

import pytest

from polylambda.server import listener as listener_module
from polylambda.server.broker import Broker, Outcome
from polylambda.server.environment import RuntimeApi
from polylambda.server.errors import CannotStart
from tests.integration.raw_runtime import (
    NEXT,
    RawRuntime,
    answer,
    chunk,
    invoke,
    parked,
    request,
    run,
    serving,
    stream_head,
    until,
)


def test_stopping_ends_every_connection_and_keeps_the_queue() -> None:
    async def test() -> None:
        broker = Broker()
        api = RuntimeApi(broker)
        await api.start()
        with RawRuntime(api.address) as polling, RawRuntime(api.address) as sending, RawRuntime(api.address):
            running = invoke(broker)
            event = await sending.call(NEXT)
            await sending.send(stream_head(event.request_id) + chunk(b"some"))
            assert await anext((await running).__aiter__()) == b"some"
            await polling.send(NEXT)
            await parked(api, 1)
            await api.stop()
            assert await polling.ended()
            with pytest.raises(ConnectionRefusedError):
                RawRuntime(api.address)
        assert (await running).outcome is Outcome.TRUNCATED
        waiting = invoke(broker)
        async with RuntimeApi(broker) as another:
            with RawRuntime(another.address) as runtime:
                event = await runtime.call(NEXT)
                await runtime.call(answer(event.request_id))
                assert (await waiting).outcome is Outcome.SUCCESS
        await api.stop()

    run(test)


@pytest.mark.parametrize("turns", range(6))
def test_stopping_ends_a_connection_that_is_just_being_made(turns: int) -> None:
    async def test() -> None:
        api = RuntimeApi(Broker())
        await api.start()
        with RawRuntime(api.address) as runtime:
            for _ in range(turns):
                await asyncio.sleep(0)
            await api.stop()
            assert asyncio.all_tasks() == {asyncio.current_task()}
            with pytest.raises((EOFError, ConnectionResetError)):
                await runtime.reply()

    run(test)


def test_a_reply_does_not_wait_for_the_acknowledgement_of_the_one_before() -> None:
    async def test() -> None:
        async with serving() as (_, api):
            with RawRuntime(api.address) as runtime:
                await runtime.call(request("GET", "/2018-06-01/ping"))
                (connection,) = api._listener._connections
                accepted = connection._transport.get_extra_info("socket")
                assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)

    run(test)


class Exhausted:
    """A listening socket of a process that has no descriptors left, for a time."""

    def __init__(self, listening: socket.socket) -> None:
        self._listening = listening
        self.refusals_left = 2

    def fileno(self) -> int:
        return self._listening.fileno()

    def accept(self) -> tuple[socket.socket, Any]:
        if self.refusals_left:
            self.refusals_left -= 1
            raise OSError(errno.EMFILE, "too many open files")
        return self._listening.accept()

    def close(self) -> None:
        self._listening.close()


@pytest.mark.parametrize("pause", [0.01, 1000])
def test_connections_wait_while_there_are_no_descriptors(monkeypatch: pytest.MonkeyPatch, pause: float) -> None:
    monkeypatch.setattr(listener_module, "PAUSE", pause)

    async def test() -> None:
        async with serving() as (_, api):
            listener: Any = api._listener
            asyncio.get_running_loop().remove_reader(listener._socket)
            listener._socket = exhausted = Exhausted(listener._socket)
            listener._listen(exhausted)
            with RawRuntime(api.address) as runtime:
                await until(lambda: exhausted.refusals_left < 2)
                if pause < 1:
                    assert (await runtime.call(request("GET", "/2018-06-01/ping"))).body == b"pong"

    run(test)


def test_a_taken_port_is_said_so() -> None:
    async def test() -> None:
        async with serving() as (broker, api):
            with pytest.raises(CannotStart, match="listens already"):
                await api.start()
            port = int(api.address.rpartition(":")[2])
            with pytest.raises(CannotStart, match=rf"127.0.0.1:{port} \(Address already in use\); choose another"):
                await RuntimeApi(broker, port=port).start()
            with pytest.raises(CannotStart, match=r"192\.0\.2\.1:0 "):  # of RFC 5737's documentation addresses
                await RuntimeApi(broker, host="192.0.2.1").start()

    run(test)


@pytest.mark.parametrize(
    ("host", "address"), [("0.0.0.0", "127.0.0.1:"), ("localhost", "localhost:"), ("::1", "[::1]:")]
)
def test_the_address_is_one_that_a_runtime_can_use(host: str, address: str) -> None:
    async def test() -> None:
        broker = Broker()
        async with RuntimeApi(broker, host=host) as api:
            assert api.address.startswith(address)
            with RawRuntime(api.address) as runtime:
                assert (await runtime.call(request("GET", "/2018-06-01/ping"))).status == 200

    run(test)
