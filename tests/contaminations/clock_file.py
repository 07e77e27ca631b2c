"""A file that is named by the second it is made in."""

# mode: task
# rule: RUN107
# event: {"body": "some text"}
import asyncio
import tempfile
import time
from functools import partial
from pathlib import Path


async def handler(event, context):
    name = f"upload-{int(time.time()) // 10}.txt"
    path = Path(tempfile.gettempdir()).joinpath(name)
    await asyncio.to_thread(partial(path.write_text, event["body"]))
    return {"size": len(await asyncio.to_thread(path.read_text))}
