"""Writes a report in pieces, while it is being made; also of orders that failed, when it is their destination."""

from __future__ import annotations

import asyncio
from typing import Any

from polylambda import LambdaContext, ResponseStream


async def handler(event: dict[str, Any], response: ResponseStream, context: LambdaContext) -> None:
    if "requestContext" in event and "http" in event["requestContext"]:
        response.start_http(200, {"content-type": "text/plain"})
    if "requestPayload" in event:
        print("failed:", event["requestPayload"], event["responsePayload"].get("errorMessage"))
    for day in ("Monday", "Tuesday", "Wednesday"):
        await response.write(f"{day}: tea\n")
        await asyncio.sleep(0.1)
