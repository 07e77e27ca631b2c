"""A Runtime API server, and a runtime made of a bare socket, to do to it what no decent client does."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Self

from polylambda.server.broker import Broker, Invocation, Response
from polylambda.server.environment import RuntimeApi

NEXT = b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: h\r\n\r\n"


def request(method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: h", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join((*lines, "", "")).encode() + body


def answer(request_id: str, body: bytes = b"{}", **headers: str) -> bytes:
    return request("POST", f"/2018-06-01/runtime/invocation/{request_id}/response", body, **headers)


def error(request_id: str, body: bytes = b"{}", **headers: str) -> bytes:
    return request("POST", f"/2018-06-01/runtime/invocation/{request_id}/error", body, **headers)


def stream_head(request_id: str) -> bytes:
    return (
        f"POST /2018-06-01/runtime/invocation/{request_id}/response HTTP/1.1\r\nHost: h\r\n"
        "Lambda-Runtime-Function-Response-Mode: streaming\r\nTransfer-Encoding: chunked\r\n"
        "Trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body\r\n\r\n"
    ).encode()


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


class Reply:
    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def request_id(self) -> str:
        assert self.status == 200, self.body
        return self.headers["lambda-runtime-aws-request-id"]

    @property
    def closes(self) -> bool:
        return self.headers.get("connection") == "close"


class RawRuntime:
    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self.sock = socket.create_connection((host.strip("[]"), int(port)))
        self.sock.setblocking(False)
        self._buffer = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: object, traceback: TracebackType | None) -> None:
        self.sock.close()

    async def send(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self.sock, data)

    async def reply(self) -> Reply:
        while b"\r\n\r\n" not in self._buffer:
            await self._receive()
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        length = int(headers.get("content-length", "0"))
        while len(self._buffer) < length:
            await self._receive()
        body, self._buffer = self._buffer[:length], self._buffer[length:]
        return Reply(int(lines[0].split()[1]), headers, body)

    async def call(self, data: bytes) -> Reply:
        await self.send(data)
        return await self.reply()

    async def ended(self) -> bool:
        """The server closed the connection, and said nothing more before."""
        assert not self._buffer
        return await asyncio.get_running_loop().sock_recv(self.sock, 1) == b""

    def half_close(self) -> None:
        self.sock.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    async def _receive(self) -> None:
        data = await asyncio.get_running_loop().sock_recv(self.sock, 65536)
        if not data:
            raise EOFError(f"the server closed the connection after {self._buffer!r}")
        self._buffer += data


@asynccontextmanager
async def serving(**options: Any) -> AsyncIterator[tuple[Broker, RuntimeApi]]:
    function = options.pop("function", None)
    broker = Broker(**options)
    async with RuntimeApi(broker, function=function) as api:
        yield broker, api


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(30):
            await test()

    asyncio.run(main())


def invoke(broker: Broker, payload: bytes = b"{}", **metadata: Any) -> asyncio.Task[Response]:
    return asyncio.create_task(
        broker.invoke(Invocation(payload=payload, timeout=metadata.pop("timeout", 20), **metadata))
    )


def error_type(body: bytes) -> str:
    return json.loads(body)["errorType"]


async def until(condition: Callable[[], object]) -> None:
    """Wait for what the server has no event for."""
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0)


async def parked(api: RuntimeApi, count: int) -> None:
    """Wait until `count` polls wait for an invocation."""
    await until(lambda: len(api.broker._polls) == count)
