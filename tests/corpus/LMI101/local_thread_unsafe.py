"""All tasks of a loop are one thread: thread-local is global to them."""
# mode: task
import threading

import audit

local = threading.local()


async def handler(event, context):
    local.request = event["requestContext"]["requestId"]  # unsafe: LMI101
    await audit.write(event)
    return {"request": local.request}
