"""A pool that the first invocation makes; the others wait for it."""
# mode: task
import asyncio

import asyncpg

_pool = None
_making = asyncio.Lock()


async def pool():
    global _pool
    async with _making:
        if _pool is None:
            _pool = await asyncpg.create_pool("postgresql://orders", max_size=8)
    return _pool


async def handler(event, context):
    connections = await pool()
    return await connections.fetchval("SELECT count(*) FROM orders WHERE item = $1", event["item"])
