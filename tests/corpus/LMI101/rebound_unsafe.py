"""An HTTP handler that keeps the user in a global, for functions further down."""
# mode: task
import asyncio

import store

current_user = None


async def handler(event, context):
    global current_user
    current_user = event["requestContext"]["authorizer"]["claims"]["sub"]  # unsafe: LMI101
    await store.touch(current_user)
    return {"statusCode": 200, "body": await page()}


async def page():
    await asyncio.sleep(0.01)
    return f"Hello {current_user}"
