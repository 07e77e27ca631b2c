"""The load generator against a server that behaves as told, in place of a plane."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
import uvloop

from polylambda.errors import ConfigurationError
from polylambda.plane.arrivals import Ramp
from polylambda.plane.callers import Callers, NoAnswer
from polylambda.plane.contact import Contact
from polylambda.plane.load import Load, LoadOptions
from polylambda.plane.sigv4 import Credentials, SignedRequest, claim, verify
from polylambda.plane.tally import Row, Verdict

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"
THROTTLED = b"HTTP/1.1 429 Too Many Requests\r\ncontent-length: 0\r\n\r\n"
FAILED = b"HTTP/1.1 200 OK\r\nX-Amz-Function-Error: Unhandled\r\ncontent-length: 2\r\n\r\n{}"
CLOSES = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}"
CUT_OFF = b"HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n{}"


class FakePlane:
    """Answers invocations one after the other from `answers`, then with `ANSWER`."""

    def __init__(self, *answers: bytes) -> None:
        self.answers = list(answers)
        self.requests: list[bytes] = []
        self.connections = 0
        self.ready = 3
        self.hold: asyncio.Event | None = None
        self.port = 0

    @property
    def contact(self) -> Contact:
        return Contact(1, f"http://127.0.0.1:{self.port}", "token")

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                if b"/polylambda/fleet" in head:
                    assert b"Bearer token" in head
                    body = json.dumps(self.snapshot()).encode()
                    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
                    continue
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0])
                self.requests.append(head + await reader.readexactly(length))
                if self.hold is not None:
                    await self.hold.wait()
                answer = self.answers.pop(0) if self.answers else ANSWER
                writer.write(answer)
                if answer in (CLOSES, CUT_OFF):
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def snapshot(self) -> dict[str, object]:
        version = {
            "function": "orders",
            "qualifier": "$LATEST.PUBLISHED",
            "provider": "p",
            "ready": self.ready,
            "wanted": self.ready,
            "in_flight": 0,
            "throttles": {"ConcurrencyThrottles": 0},
        }
        return {"versions": [version], "instances": []}


@asynccontextmanager
async def fake(*answers: bytes) -> AsyncIterator[FakePlane]:
    plane = FakePlane(*answers)
    server = await asyncio.start_server(plane.serve, "127.0.0.1", 0)
    plane.port = server.sockets[0].getsockname()[1]
    try:
        yield plane
    finally:
        server.close()
        await server.wait_closed()


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0.005)


def options(rate: float = 200, hold: float = 0.1, **changes: object) -> LoadOptions:
    ramp = Ramp(first=rate, rate=rate, ramp=0, hold=hold)
    return LoadOptions(function="orders", event=b'{"a": 1}', ramp=ramp, **changes)  # type: ignore[arg-type]


def test_every_invocation_is_counted_once():
    rows: list[Row] = []

    async def main() -> tuple[Load, FakePlane]:
        async with fake(ANSWER, THROTTLED, FAILED, CLOSES, CUT_OFF) as plane:
            load = Load(options(), plane.contact, rows.append)
            await load.run()
            return load, plane

    load, plane = asyncio.run(main())
    counts = load.tally.counts
    assert counts == {Verdict.ANSWERED: 17, Verdict.THROTTLED: 1, Verdict.FAILED: 1, Verdict.LOST: 1}
    assert len(load.tally.latencies) == 17
    assert len(plane.requests) == 20
    head, _, body = plane.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /2015-03-31/functions/orders/invocations HTTP/1.1\r\nHost: 127.0.0.1:")
    assert body == b'{"a": 1}'
    assert rows[-1].fleet is not None
    assert rows[-1].fleet.ready == 3
    assert load.tally.rows == [load.tally.rows[0], *rows]


def test_on_uvloop():
    async def main() -> Load:
        async with fake() as plane:
            load = Load(options(), plane.contact, lambda row: None)
            await load.run()
            return load

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(main()).tally.counts == {Verdict.ANSWERED: 20}


def test_signed_requests_are_taken_by_who_checks_them():
    async def main() -> bytes:
        async with fake() as plane:
            await Load(options(rate=10, credentials=("key", "secret")), plane.contact, lambda row: None).run()
            return plane.requests[0]

    head, _, body = asyncio.run(main()).partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    method, path, _version = first.split()
    signed = SignedRequest(method=method, path=path, query="", headers=headers)
    verify(claim(signed, Credentials({"key": "secret"}), now=time.time()), signed, body)


def test_a_slow_answer_holds_nothing_back():
    async def main() -> Load:
        async with fake() as plane:
            plane.hold = asyncio.Event()
            load = Load(options(limit=15), plane.contact, lambda row: None)
            running = asyncio.create_task(load.run())
            # All are due, and none was answered.
            await until(lambda: load.tally.counts[Verdict.UNSENT] == 5 and len(plane.requests) == 15)
            plane.hold.set()
            await running
            return load

    load = asyncio.run(main())
    assert load.tally.counts == {Verdict.ANSWERED: 15, Verdict.UNSENT: 5}


def test_the_fleet_is_watched_until_it_is_as_it_was():
    rows: list[Row] = []

    async def main() -> None:
        async with fake() as plane:

            def on_row(row: Row) -> None:
                rows.append(row)
                plane.ready = 3 if len(rows) == 3 else 5

            await Load(options(hold=0.01, settle=60, interval=0.01), plane.contact, on_row).run()

    asyncio.run(main())
    assert [row.fleet.ready for row in rows if row.fleet is not None][-1] == 3


def test_cancelled():
    async def main() -> Load:
        async with fake() as plane:
            plane.hold = asyncio.Event()
            load = Load(options(hold=60), plane.contact, lambda row: None)
            running = asyncio.create_task(load.run())
            await until(lambda: bool(plane.requests))
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
            assert asyncio.all_tasks() - {asyncio.current_task()} <= {
                task for task in asyncio.all_tasks() if "serve" in repr(task)
            }
            plane.hold.set()
            return load

    assert asyncio.run(main()).tally.counts[Verdict.ANSWERED] == 0


def test_no_such_function():
    async def main() -> None:
        async with fake() as plane:
            there = options()
            unknown = LoadOptions(function="nope", event=b"{}", ramp=there.ramp)
            with pytest.raises(ConfigurationError, match="no function nope"):
                await Load(unknown, plane.contact, lambda row: None).run()

    asyncio.run(main())


class TestCallers:
    def test_connections_are_kept(self):
        async def main() -> int:
            async with fake() as plane, Callers("127.0.0.1", plane.port) as callers:
                for _ in range(3):
                    await callers.send(b"POST / HTTP/1.1\r\ncontent-length: 0\r\n\r\n")
                assert callers.connections == 1
                return plane.connections

        assert asyncio.run(main()) == 1

    @pytest.mark.parametrize("answer", [CUT_OFF, b"nonsense\r\n\r\n"])
    def test_no_answer(self, answer: bytes):
        async def main() -> None:
            async with fake(answer) as plane, Callers("127.0.0.1", plane.port) as callers:
                with pytest.raises(NoAnswer):
                    await callers.send(b"POST / HTTP/1.1\r\ncontent-length: 0\r\n\r\n")

        asyncio.run(main())

    def test_nobody_there(self):
        async def main() -> None:
            async with fake() as plane:
                port = plane.port
            async with Callers("127.0.0.1", port) as callers:
                with pytest.raises(NoAnswer, match="takes no connection"):
                    await callers.send(b"")

        asyncio.run(main())


def test_a_plane_that_is_gone():
    with pytest.raises(ConfigurationError, match=r"http://127\.0\.0\.1:9 \(process 7\) does not answer"):
        Contact(7, "http://127.0.0.1:9", "token").fleet()
