"""The server of the plane's API itself, from start to stop."""

from __future__ import annotations

import asyncio

from polylambda.local import http
from polylambda.local.answers import Answer, Head
from polylambda.local.exchange import Exchange, Receive, Scope, Send
from polylambda.plane.api.server import PlaneServer


def test_answers_what_was_taken_before_it_stops():
    asyncio.run(serve_and_stop())


async def serve_and_stop() -> None:
    begun, go = asyncio.Event(), asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        begun.set()
        await go.wait()
        await Exchange(scope, receive, send).answer(Answer(head=Head(), body=b"done"))

    with http.listen("127.0.0.1", 0) as sock:
        server = PlaneServer(app, sock)
        serving = asyncio.create_task(server.run_until_stopped())
        reader, writer = await asyncio.open_connection(*sock.getsockname())
        writer.write(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")
        await begun.wait()
        server.stop()
        go.set()
        assert (await reader.read()).endswith(b"done")
        writer.close()
        await writer.wait_closed()
        await serving
