"""In process mode there is one invocation at a time, and the loop is its own."""
# mode: process
import asyncio

import orders

loop = asyncio.new_event_loop()


def handler(event, context):
    return loop.run_until_complete(orders.find(event["id"]))
