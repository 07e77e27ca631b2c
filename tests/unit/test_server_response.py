from __future__ import annotations

import asyncio

from polylambda.server.invocation import Outcome
from polylambda.server.response import Response
from tests.unit import virtual_loop


def test_a_whole_body_is_read_at_once() -> None:
    async def main() -> None:
        response = Response("id")
        response.begin("text/plain", streamed=False)
        response.feed(b"hello")
        response.end(Outcome.SUCCESS)
        assert response.content_type == "text/plain"
        assert await response.read() == b"hello"
        assert await response.read() == b""

    virtual_loop.run(main())


def test_pieces_come_as_they_arrive() -> None:
    async def main() -> None:
        response = Response("id")
        response.begin("text/plain", streamed=True)
        seen: list[bytes] = []

        async def read() -> None:
            async for piece in response:
                await asyncio.sleep(0)
                seen.append(piece)

        reader = asyncio.create_task(read())
        for piece in (b"a", b"b", b"c"):
            response.feed(piece)
            await asyncio.sleep(1)
            assert seen[-1] == piece
            assert response.outcome is Outcome.PENDING
        response.end(Outcome.ERROR, "Function.Late", b"{}")
        await reader
        assert seen == [b"a", b"b", b"c"]
        assert (response.error_type, response.error_body) == ("Function.Late", b"{}")

    virtual_loop.run(main())


def test_reading_waits_for_the_end() -> None:
    async def main() -> None:
        response = Response("id")
        response.begin("text/plain", streamed=True)
        response.feed(b"a")
        loop = asyncio.get_running_loop()
        loop.call_later(1, response.feed, b"b")
        loop.call_later(2, response.end, Outcome.SUCCESS)
        assert await response.read() == b"ab"
        assert loop.time() == 2

    virtual_loop.run(main())


def test_a_lagging_caller_is_noticed_and_the_runtime_resumed_when_half_is_read() -> None:
    async def main() -> None:
        response = Response("id", buffer_limit=4)
        response.begin("text/plain", streamed=True)
        resumed: list[str] = []
        response.feed(b"abc")
        assert not response.wait_for_drain(lambda: resumed.append("too early"))
        response.feed(b"de")
        assert response.wait_for_drain(lambda: resumed.append("resumed"))
        pieces = response.__aiter__()
        assert await anext(pieces) == b"abc"
        assert resumed == ["resumed"]
        assert await anext(pieces) == b"de"
        assert resumed == ["resumed"]

    virtual_loop.run(main())


def test_hanging_up_resumes_the_runtime_and_throws_the_rest_away() -> None:
    async def main() -> None:
        response = Response("id", buffer_limit=1)
        response.begin("text/plain", streamed=True)
        resumed: list[None] = []
        response.feed(b"abc")
        assert response.wait_for_drain(lambda: resumed.append(None))
        await response.aclose()
        assert resumed == [None]
        response.feed(b"def")
        assert not response.wait_for_drain(lambda: resumed.append(None))
        assert [piece async for piece in response] == []
        response.end(Outcome.SUCCESS)
        assert await response.read() == b""

    virtual_loop.run(main())


def test_a_cancelled_reader_leaves_the_response_readable() -> None:
    async def main() -> None:
        response = Response("id")
        response.begin("text/plain", streamed=True)
        reader = asyncio.create_task(response.read())
        await asyncio.sleep(1)
        reader.cancel()
        await asyncio.wait([reader])
        response.feed(b"a")
        response.end(Outcome.SUCCESS)
        assert await response.read() == b"a"

    virtual_loop.run(main())
