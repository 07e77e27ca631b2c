"""Counts down: each number reaches the caller as soon as it is written."""

from __future__ import annotations

import asyncio
from typing import Any

from polylambda import LambdaContext, LambdaManagedRuntime, ResponseStream

PAUSE = 0.5  # seconds between two numbers


async def handler(event: dict[str, Any], response: ResponseStream, context: LambdaContext) -> None:
    parameters = event.get("queryStringParameters") or {}
    start = parameters.get("from", "3")
    if not start.isdecimal():
        response.start_http(400, {"content-type": "text/plain"})
        await response.finish(f"from={start} is no number\n")
        return
    response.start_http(200, {"content-type": "text/plain"})
    for number in range(int(start), 0, -1):
        await response.write(f"{number}\n")
        await asyncio.sleep(PAUSE)
    await response.finish("go\n")


if __name__ == "__main__":
    LambdaManagedRuntime(handler).run()
