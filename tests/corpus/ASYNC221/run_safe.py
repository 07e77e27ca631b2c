"""In a thread, with what it needs."""
# mode: task
import asyncio
import functools
import subprocess


async def handler(event, context):
    command = ["convert", event["from"], event["to"]]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True)
    loop = asyncio.get_running_loop()
    again = await loop.run_in_executor(None, functools.partial(subprocess.run, command, check=True))
    return {"code": done.returncode + again.returncode}
