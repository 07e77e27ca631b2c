"""A stream that only one may wait for at a time."""

# mode: task
# rule: RUN114
# event: {"name": "Ada"}
import asyncio
from functools import cache


@cache
def ticks():
    return asyncio.StreamReader()


async def handler(event, context):
    asyncio.get_running_loop().call_later(0.01, ticks().feed_data, b"tick\n")
    return {"line": (await ticks().readline()).decode()}
