"""A load generator: callers that invoke a function over HTTP, each with its next event as soon as it has its answer."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

from harness.environment import BenchmarkError

_PATH = "/2015-03-31/functions/function/invocations"
_PATIENCE = 30  # seconds that the last answers may take


@dataclass
class Calls:
    """What callers got."""

    answered: int = 0
    refused: int = 0
    """Status 400, at once: no slot was polling."""
    seconds: float = 0.0
    """From the first call to the last answer."""
    bodies: set[bytes] = field(default_factory=set[bytes])
    """Those of the answers."""
    others: set[bytes] = field(default_factory=set[bytes])
    """All that came back and is neither an answer nor a refusal."""


def call(address: str, event: bytes, callers: int, *, seconds: float = 0.0) -> Calls:
    """Call from as many callers for so many seconds, or once from each. Raises BenchmarkError.

    A call has a connection of its own, as from the AWS CLI. A caller that was refused calls again at once.
    """
    calls = Calls()
    begin = time.monotonic()
    try:
        asyncio.run(_call_all(address, event, callers, begin + seconds, calls))
    except OSError as error:
        raise BenchmarkError(f"Calling the function failed: {error!r}") from error
    calls.seconds = time.monotonic() - begin
    return calls


async def _call_all(address: str, event: bytes, callers: int, until: float, calls: Calls) -> None:
    # HTTP/1.0: the answer ends with the connection.
    head = f"POST {_PATH} HTTP/1.0\r\nHost: {address}\r\nContent-Type: application/json\r\n"
    request = f"{head}Content-Length: {len(event)}\r\n\r\n".encode() + event
    async with asyncio.timeout_at(asyncio.get_running_loop().time() + until - time.monotonic() + _PATIENCE):
        await asyncio.gather(*(_call_until(address, request, until, calls) for _ in range(callers)))


async def _call_until(address: str, request: bytes, until: float, calls: Calls) -> None:
    host, _, port = address.partition(":")
    while True:
        reader, writer = await asyncio.open_connection(host, int(port))
        try:
            writer.write(request)
            response = await reader.read()
        finally:
            writer.close()
        head, _, body = response.partition(b"\r\n\r\n")
        status = head[9:12]
        if status == b"200" and b"\r\nerror-type:" not in head.lower():
            calls.answered += 1
            calls.bodies.add(body)
        elif status == b"400":
            calls.refused += 1
        else:
            calls.others.add(response)
        if time.monotonic() >= until:
            return
