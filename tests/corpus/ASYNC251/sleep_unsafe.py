"""A pause between two tries, for everybody."""
# mode: task
import time
from time import sleep

import stock


async def handler(event, context):
    for attempt in range(3):
        if await stock.reserve(event["item"]):
            return {"attempts": attempt + 1}
        time.sleep(0.2)  # unsafe: ASYNC251
    sleep(1)  # unsafe: ASYNC251
    return None
