"""A loop runs already, and asyncio.run says so."""
# mode: task
import asyncio

import orders


async def handler(event, context):
    loop = asyncio.get_running_loop()
    first = asyncio.run(orders.find(event["first"]))  # unsafe: LMI304
    second = loop.run_until_complete(orders.find(event["second"]))  # unsafe: LMI304
    return [first, second]
