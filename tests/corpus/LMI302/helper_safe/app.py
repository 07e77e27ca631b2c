"""The same functions, in a thread."""
# mode: task
import asyncio

from orders import place


async def handler(event, context):
    return {"placed": await asyncio.to_thread(place, event["order"])}
