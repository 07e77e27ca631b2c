"""One loop, and everybody on it: the client and the locks find it when they are used first."""
# mode: task
import asyncio

import httpx

client = httpx.AsyncClient()
few = asyncio.Semaphore(10)
turn = asyncio.Lock()


async def handler(event, context):
    return await asyncio.gather(*(fetch(url) for url in event["urls"]))


async def fetch(url):
    async with few, turn:
        answer = await client.get(url)
        return answer.status_code
