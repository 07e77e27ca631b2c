"""A new pool for every invocation: each pays for a handshake, and none is used twice."""
# mode: task
import aiohttp
import httpx


async def handler(event, context):
    async with httpx.AsyncClient() as client:  # unsafe: LMI402
        rate = await client.get("https://rates.example/eur")
    async with aiohttp.ClientSession() as session, session.get(event["url"]) as answer:  # unsafe: LMI402
        return {"rate": rate.json(), "status": answer.status}
