"""Made first, awaited later, by somebody else."""
# mode: task
import asyncio


async def notify(customer, text):
    await asyncio.sleep(0)
    return {customer: text}


def placed(customer):
    return notify(customer, "placed")


async def handler(event, context):
    later = notify(event["customer"], "thank you")
    first = await placed(event["customer"])
    both = [notify(each, "news") for each in event["friends"]]
    await asyncio.gather(*both)
    return [first, await later]
