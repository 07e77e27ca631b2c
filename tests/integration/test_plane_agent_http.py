"""The agent's HTTP, as a stranger sees it: what is wrong is said, and does no harm."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from polylambda.plane.agent.http import Connection, Request
from polylambda.plane.agent_client import AgentClient, AgentError, AgentLost
from polylambda.plane.agent_client.errors import Refused
from polylambda.plane.specs import EnvironmentSpec
from polylambda.server.invocation import Invocation, Outcome
from tests.integration.plane_agent import run


class Agent:
    """The HTTP side of an agent, with a service made for the test."""

    def __init__(self, serve: Any) -> None:
        self._serve = serve
        self.requests: list[Request] = []
        self.port = 0

    def serve(self, request: Request, connection: Connection) -> None:
        self.requests.append(request)
        if self._serve is not None and self._serve(request, connection) is not None:
            return
        if request.path == "/events":
            connection.begin(200, content_type="application/x-ndjson")

    async def say(self, data: bytes) -> bytes:
        """Send bytes on a connection of their own; return what comes back until it is closed."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(data)
            writer.write_eof()
            return await reader.read()
        except ConnectionResetError:
            return b""
        finally:
            writer.close()


@asynccontextmanager
async def agent(serve: Any = None) -> AsyncIterator[Agent]:
    it = Agent(serve)
    server = await asyncio.get_running_loop().create_server(lambda: Connection(it.serve, "secret"), "127.0.0.1", 0)
    it.port = server.sockets[0].getsockname()[1]
    try:
        yield it
    finally:
        server.close()


def request(line: str, *headers: str, body: str = "", token: str = "secret") -> bytes:
    head = (line, "Host: agent", f"Authorization: Bearer {token}", f"Content-Length: {len(body)}", *headers)
    return ("\r\n".join(head) + "\r\n\r\n" + body).encode()


@pytest.mark.parametrize(
    ("data", "status", "message"),
    [
        (request("GET /x HTTP/1.1", token="wrong"), 401, "Bearer TOKEN"),
        (b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n", 401, "Bearer TOKEN"),
        (b"nonsense\r\n\r\n", 400, "not HTTP/1.1"),
        (request("GET /x HTTP/1.1", "X: " + "y" * 1_200_000), 431, "head"),
        (request("PUT /x HTTP/1.1", body="y" * 17_000_000), 413, "16777216"),
        (request("GET /x HTTP/1.1", "Connection: Upgrade", "Upgrade: websocket"), 400, "HTTP/1.1"),
    ],
)
def test_what_is_no_request_of_a_plane_is_broken_off(data: bytes, status: int, message: str) -> None:
    async def test() -> None:
        async with agent() as it:
            reply = await it.say(data)
            if reply:  # a reply may be lost when more was sent than was read
                assert reply.startswith(f"HTTP/1.1 {status} ".encode()), reply[:300]
                assert message.encode() in reply
            assert it.requests == []

    run(test)


def test_requests_on_one_connection_one_after_the_other() -> None:
    def serve(request: Request, connection: Connection) -> bool:
        connection.reply(200, f"{request.method} {request.path} {request.query} {request.body.decode()}".encode())
        return True

    async def test() -> None:
        async with agent(serve) as it:
            reader, writer = await asyncio.open_connection("127.0.0.1", it.port)
            for data in (request("PUT /a?drain=1 HTTP/1.1", body="body"), request("GET /b HTTP/1.1")):
                for at in range(0, len(data), 7):  # in small pieces
                    writer.write(data[at : at + 7])
                    await writer.drain()
                head = await reader.readuntil(b"\r\n\r\n")
                assert head.startswith(b"HTTP/1.1 200 OK")
                length = int(head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0])
                await reader.readexactly(length)
            writer.close()
            assert [(r.method, r.path, r.query, r.body) for r in it.requests] == [
                ("PUT", "/a", "drain=1", b"body"),
                ("GET", "/b", "", b""),
            ]

    run(test)


def test_a_second_request_before_the_reply_ends_the_connection() -> None:
    async def test() -> None:
        async with agent(lambda *_: True) as it:
            assert await it.say(request("GET /a HTTP/1.1") + request("GET /b HTTP/1.1")) == b""
            assert [r.path for r in it.requests] == ["/a"]

    run(test)


# The client, with agents that misbehave.


@asynccontextmanager
async def client_of(it: Agent, lost: list[str] | None = None) -> AsyncIterator[AgentClient]:
    on_lost = (lost if lost is not None else []).append
    async with AgentClient("127.0.0.1", it.port, "secret", on_event=lambda _: None, on_lost=on_lost) as client:
        yield client


def invocation() -> Invocation:
    return Invocation(payload=b"{}")


def reply_to_invocations(reply: Any) -> Any:
    def serve(request: Request, connection: Connection) -> bool | None:
        if request.path == "/events":
            return None
        reply(connection)
        return True

    return serve


def test_nobody_listens() -> None:
    async def test() -> None:
        async with agent() as it:
            port = it.port
        client = AgentClient("127.0.0.1", port, "secret", on_event=lambda _: None, on_lost=lambda _: None)
        with pytest.raises(AgentLost, match="cannot be reached") as lost:
            await client.__aenter__()
        assert not lost.value.delivered

    run(test)


def test_another_token_is_refused() -> None:
    async def test() -> None:
        async with agent() as it:
            client = AgentClient("127.0.0.1", it.port, "other", on_event=lambda _: None, on_lost=lambda _: None)
            with pytest.raises(AgentLost, match="401"):
                await client.__aenter__()

    run(test)


@pytest.mark.parametrize(
    "reply",
    [
        lambda connection: connection.close(),
        lambda connection: connection.abort(),
        lambda connection: connection._send(b"nonsense\r\n\r\n"),
        lambda connection: connection.reply(200, b"no frames at all"),
        lambda connection: connection.reply(200, b""),
        lambda connection: connection.reply(200, b"H\x00\x00\x00\x02{}"),
    ],
    ids=["closed", "reset", "no HTTP", "no frames", "empty", "no head"],
)
def test_an_agent_that_does_not_answer_may_have_delivered(reply: Any) -> None:
    async def test() -> None:
        ended: list[Any] = []
        async with agent(reply_to_invocations(reply)) as it, client_of(it) as client:
            with pytest.raises(AgentLost) as lost:
                await client.invoke("e", invocation(), on_end=ended.append)
            assert lost.value.delivered
            assert ended == []

    run(test)


def test_a_refusal_without_a_cause_is_an_error() -> None:
    def reply(connection: Connection) -> None:
        connection.refuse(400, "what is this?")

    async def test() -> None:
        async with agent(reply_to_invocations(reply)) as it, client_of(it) as client:
            with pytest.raises(AgentError, match="what is this") as error:
                await client.invoke("e", invocation())
            assert error.value.status == 400
            with pytest.raises(AgentError, match="what is this"):
                await client.start_environment(
                    EnvironmentSpec(id="e", function_name="f", qualifier="1", code="", runtime="", handler="")
                )
            assert len([r for r in it.requests if r.path != "/events"]) == 2

    run(test)


def test_connections_are_used_again() -> None:
    connections: set[Connection] = set()

    def reply(connection: Connection) -> None:
        connections.add(connection)
        connection.refuse(429, "full", headers={"x-polylambda-cause": "ConcurrencyThrottles"})

    async def test() -> None:
        async with agent(reply_to_invocations(reply)) as it, client_of(it) as client:
            for _ in range(3):
                with pytest.raises(Refused, match="full"):
                    await client.invoke("e", invocation())
        assert len(connections) == 1

    run(test)


def test_an_answer_that_breaks_off_after_its_head_has_an_end() -> None:
    def reply(connection: Connection) -> None:
        connection.begin(200, content_type="x")
        head = json.dumps({"content_type": "text/plain", "streamed": True}).encode()
        connection.write(b"H" + len(head).to_bytes(4, "big") + head + b"D\x00\x00\x00\x05abc")
        connection.close()

    async def test() -> None:
        ended: list[Any] = []
        async with agent(reply_to_invocations(reply)) as it, client_of(it) as client:
            response = await client.invoke("e", invocation(), on_end=lambda r: ended.append(r.outcome))
            assert await response.read() == b"abc"
            assert (response.outcome, response.error_type) == (Outcome.FAILURE, "Sandbox.Failure")
            assert ended == [Outcome.FAILURE]

    run(test)


def test_the_end_of_the_events_is_the_end_of_the_agent() -> None:
    following: list[Connection] = []

    def serve(request: Request, connection: Connection) -> bool | None:
        if request.path == "/events":
            following.append(connection)
            return None
        following[0].finish()
        return True

    async def test() -> None:
        lost: list[str] = []
        async with agent(serve) as it, client_of(it, lost) as client:
            with pytest.raises(AgentLost, match="ended its stream"):
                await client.stop_environment("e", drain=0)
            assert client.lost
            with pytest.raises(AgentLost) as again:
                await client.invoke("e", invocation())
            assert not again.value.delivered
        assert len(lost) == 1

    run(test)


def test_an_event_that_is_none_is_the_end_of_the_agent() -> None:
    def serve(request: Request, connection: Connection) -> bool:
        connection.begin(200, content_type="x")
        asyncio.get_running_loop().call_soon(connection.write, b'{"kind": "never heard of"}\n')
        return True

    async def test() -> None:
        told: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        async with agent(serve) as it:
            client = AgentClient("127.0.0.1", it.port, "secret", on_event=lambda _: None, on_lost=told.set_result)
            async with client:
                assert "never heard of" in await told

    run(test)
