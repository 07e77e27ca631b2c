"""Both go there, one in a lambda, one as a partial, one by anyio, one through an executor of the module."""
# mode: task
import asyncio
import subprocess
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import anyio.to_thread

pool = ThreadPoolExecutor(4)


def convert(source, format="png"):
    return subprocess.check_output(["convert", source, f"{format}:-"])


async def handler(event, context):
    loop = asyncio.get_running_loop()
    results = await asyncio.gather(
        loop.run_in_executor(None, lambda: convert(event["first"])),
        loop.run_in_executor(pool, partial(convert, event["second"], format="jpg")),
        anyio.to_thread.run_sync(convert, event["third"]),
        asyncio.wrap_future(pool.submit(convert, event["fourth"])),
    )
    return [len(result) for result in results]
