"""The threads of an executor serve all invocations, and keep what the first has put there."""

# mode: task
# rule: RUN101
# event: {"area": "north"}
import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

pool = ThreadPoolExecutor(1)
local = threading.local()


def price(area):
    return vars(local).setdefault("area", area) + " 10 EUR"


async def handler(event, context):
    return {"price": await asyncio.get_running_loop().run_in_executor(pool, price, event["area"])}
