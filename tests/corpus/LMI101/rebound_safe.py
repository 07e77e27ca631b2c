"""The same with a context variable: every invocation has its own value."""
# mode: task
import asyncio
from contextvars import ContextVar

import store

current_user = ContextVar("current_user")


async def handler(event, context):
    current_user.set(event["requestContext"]["authorizer"]["claims"]["sub"])
    await store.touch(current_user.get())
    return {"statusCode": 200, "body": await page()}


async def page():
    await asyncio.sleep(0.01)
    return f"Hello {current_user.get()}"
