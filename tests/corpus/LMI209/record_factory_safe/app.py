"""The factory is set once, and asks a context variable."""
# mode: task
from logs import correlation
from orders import place


async def handler(event, context):
    correlation.set(event["headers"]["x-correlation-id"])
    return await place(event["body"])
