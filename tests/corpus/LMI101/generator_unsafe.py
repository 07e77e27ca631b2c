"""A streamed answer; its pieces are put together in a global."""
# mode: task
import catalogue

page = []


async def handler(event, context):
    page.clear()  # unsafe: LMI101
    async for item in catalogue.items(event["category"]):
        page.append(item)  # unsafe: LMI101
        if len(page) == 10:
            yield "".join(page)
            page.clear()  # unsafe: LMI101
