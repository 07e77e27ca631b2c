"""asyncio's way."""
# mode: task
import asyncio
import subprocess


async def handler(event, context):
    child = await asyncio.create_subprocess_exec("convert", event["from"], event["to"], stdout=subprocess.DEVNULL)
    return {"code": await child.wait()}
