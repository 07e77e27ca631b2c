"""A call without await does nothing."""
# mode: task
import asyncio


async def notify(customer, text):
    await asyncio.sleep(0)
    return {customer: text}


async def handler(event, context):
    notify(event["customer"], "placed")  # unsafe: LMI405
    asyncio.sleep(0.1)  # unsafe: LMI405
    return "ok"
