"""A pause of this invocation; and one of a thread."""
# mode: task
import asyncio
import time

import stock


def patient(item):
    time.sleep(0.2)
    return stock.count(item)


async def handler(event, context):
    for attempt in range(3):
        if await stock.reserve(event["item"]):
            return {"attempts": attempt + 1}
        await asyncio.sleep(0.2)
    return await asyncio.to_thread(patient, event["item"])
