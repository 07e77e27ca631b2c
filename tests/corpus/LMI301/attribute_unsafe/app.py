"""The client is an attribute, the calls are in methods."""
# mode: task
from store import Store

store = Store("orders")


async def handler(event, context):
    await store.put(event["id"], event["body"])
    return await store.count()
