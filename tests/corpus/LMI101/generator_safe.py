"""The same with a local list of the generator."""
# mode: task
import catalogue

SIZE = 10


async def handler(event, context):
    page = []
    async for item in catalogue.items(event["category"]):
        page.append(item)
        if len(page) == SIZE:
            yield "".join(page)
            page.clear()
