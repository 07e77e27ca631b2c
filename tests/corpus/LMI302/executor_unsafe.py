"""One of the two calls goes to the executor; the other one is made on the loop, before it."""
# mode: task
import asyncio
import subprocess


def convert(source):
    return subprocess.check_output(["convert", source, "png:-"])  # unsafe: LMI302


async def handler(event, context):
    loop = asyncio.get_running_loop()
    first = convert(event["first"])
    second = await loop.run_in_executor(None, convert, event["second"])
    return {"sizes": [len(first), len(second)]}
