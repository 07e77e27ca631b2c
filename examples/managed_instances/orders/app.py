"""Takes orders: 50 milliseconds for a database, so to speak, while which the environment serves others."""

from __future__ import annotations

import asyncio
import itertools
import json
from typing import Any

from polylambda import LambdaContext

DATABASE = 0.05  # seconds

numbers = itertools.count(1)


async def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    order = json.loads(event["body"]) if "body" in event else event
    if "item" not in order:
        raise ValueError("an order names its item")
    await asyncio.sleep(DATABASE)
    return {"order": next(numbers), "item": order["item"], "environment": context.log_stream_name[-8:]}
