"""A session that is made at import, where no loop runs."""
# mode: task
import aiohttp

session = aiohttp.ClientSession()  # unsafe: LMI401


async def handler(event, context):
    async with session.get(event["url"]) as answer:
        return {"status": answer.status, "body": await answer.text()}
