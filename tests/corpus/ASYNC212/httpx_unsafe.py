"""httpx has two clients; this one blocks."""
# mode: task
import httpx

client = httpx.Client()


async def handler(event, context):
    return await fetch(client, event["url"])


async def fetch(client: httpx.Client, url: str):
    return client.get(url).json()  # unsafe: ASYNC212
