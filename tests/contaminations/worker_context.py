"""A worker that the first invocation starts, and that runs in its context for all others."""

# mode: task
# rule: RUN102
# event: {"order": "tea"}
import asyncio
from functools import cache


@cache
def orders():
    queue = asyncio.Queue()
    asyncio.ensure_future(work(queue)).add_done_callback(print)
    return queue


async def work(queue):
    while True:
        order, done = await queue.get()
        print("packed", order)
        done.set_result(None)


async def handler(event, context):
    done = asyncio.get_running_loop().create_future()
    await orders().put((event["order"], done))
    await done
    return "packed"
