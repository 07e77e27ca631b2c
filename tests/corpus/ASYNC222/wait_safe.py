"""Waits on asyncio's object."""
# mode: task
import asyncio


async def handler(event, context):
    child = await asyncio.create_subprocess_shell(event["job"])
    async with asyncio.timeout(5):
        return {"code": await child.wait()}
