"""A list that only a partial knows."""
# mode: task
# rule: RUN108
# event: {"command": "up"}
import heapq
from functools import partial

remember = partial(heapq.heappush, [])


async def handler(event, context):
    remember(event["command"] + "!")
    return "done"
