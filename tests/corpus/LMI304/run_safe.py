"""A loop of its own for each call of a def handler; and one in a thread."""
# mode: thread
import asyncio

import orders


def handler(event, context):
    return asyncio.run(both(event))


async def both(event):
    first = await orders.find(event["first"])
    second = await asyncio.to_thread(lambda: asyncio.run(orders.find(event["second"])))
    return [first, second]
