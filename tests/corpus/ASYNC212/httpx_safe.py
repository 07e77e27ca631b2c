"""This one does not."""
# mode: task
import httpx

client = httpx.AsyncClient()


async def handler(event, context):
    return await fetch(client, event["url"])


async def fetch(client: httpx.AsyncClient, url: str):
    answer = await client.get(url)
    return answer.json()
