"""Each invocation has a loop of its own, and the client has connections of the first one."""
# mode: process
import asyncio

import httpx

client = httpx.AsyncClient()  # unsafe: LMI401


def handler(event, context):
    return asyncio.run(fetch(event["urls"]))


async def fetch(urls):
    answers = await asyncio.gather(*(client.get(url) for url in urls))
    return [answer.status_code for answer in answers]
