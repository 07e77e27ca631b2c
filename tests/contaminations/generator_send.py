"""A generator that remembers the last thing it was sent, called through a bound method."""

# mode: task
# rule: RUN101
# event: {"item": "tea"}
import asyncio
from functools import partial


def shelf():
    item = None
    while True:
        item = (yield item) or item


_shelf = shelf()
_shelf.send(None)
put = partial(_shelf.send)
look = partial(_shelf.send, None)


async def handler(event, context):
    put(event["item"])
    await asyncio.sleep(0.01)
    return {"item": look()}
