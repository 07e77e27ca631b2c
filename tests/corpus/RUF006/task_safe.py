"""A group holds its tasks, and waits for them."""
# mode: task
import asyncio

import audit


async def handler(event, context):
    async with asyncio.TaskGroup() as group:
        group.create_task(audit.write(event))
        group.create_task(audit.count(event))
    last = asyncio.create_task(audit.flush())
    await last
    return "ok"
