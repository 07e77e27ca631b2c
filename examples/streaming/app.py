"""A response in pieces: each word reaches the caller as soon as it is written."""

from __future__ import annotations

import asyncio
from typing import Any

from polylambda import LambdaContext, LambdaRuntime, ResponseStream

TEXT = "Every word of this is on its way before the next one is written."
PAUSE = 0.1  # seconds between two words, as if somebody thought about the next one


async def handler(event: dict[str, Any], response: ResponseStream, context: LambdaContext) -> None:
    parameters = event.get("queryStringParameters") or {}
    response.start_http(200, {"content-type": "text/plain; charset=utf-8"})
    for word in parameters.get("text", TEXT).split():
        await response.write(f"{word} ")
        await asyncio.sleep(PAUSE)
    await response.finish("\n")


if __name__ == "__main__":
    LambdaRuntime(handler).run()
