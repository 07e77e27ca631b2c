"""The correlation id comes from a record factory that each invocation replaces."""
# mode: task
from logs import correlate
from orders import place


async def handler(event, context):
    correlate(event["headers"]["x-correlation-id"])
    return await place(event["body"])
