"""One loop for all threads; a loop runs in one of them."""
# mode: thread
import asyncio

import orders

loop = asyncio.new_event_loop()  # unsafe: LMI401


def handler(event, context):
    return loop.run_until_complete(orders.find(event["id"]))
