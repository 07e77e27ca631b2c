"""The whole of it is under the lock."""
# mode: task
import asyncio

current = {}
guard = asyncio.Lock()


async def greeting():
    return "hello " + current["user"]


async def handler(event, context):
    async with guard:
        current["user"] = event["user"]
        await asyncio.sleep(0.1)
        return await greeting()
