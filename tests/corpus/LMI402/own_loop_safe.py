"""A client of asyncio belongs to the loop that runs it; and that lives as long as the invocation."""
# mode: thread
import asyncio

import aiohttp
import httpx


def handler(event, context):
    return asyncio.run(find(event["key"]))


async def find(key):
    async with httpx.AsyncClient() as client:
        first = await client.get(f"https://orders.internal/{key}")
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=4)) as session:
        async with session.get(f"https://archive.internal/{key}") as second:
            return {"first": first.json(), "second": await second.json()}
