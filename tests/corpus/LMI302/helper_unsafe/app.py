"""The coroutine looks innocent; two calls further down somebody sleeps."""
# mode: task
from orders import place


async def handler(event, context):
    return {"placed": place(event["order"])}
