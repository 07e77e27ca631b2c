"""An await lies between the write under the lock and the read without it."""
# mode: task
import asyncio

current = {}
guard = asyncio.Lock()


async def greeting():
    return "hello " + current["user"]


async def handler(event, context):
    async with guard:
        current["user"] = event["user"]  # unsafe: LMI101
    await asyncio.sleep(0.1)
    return await greeting()
