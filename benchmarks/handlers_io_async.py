"""A handler that waits for 50 ms, as for a database, and lets others work meanwhile."""

from __future__ import annotations

import asyncio


async def query(event, context):
    await asyncio.sleep(0.05)
    return {"statusCode": 200}
