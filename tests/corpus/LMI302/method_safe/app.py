"""What blocks happens at import, or in a class method that a thread runs."""
# mode: task
import asyncio

from customer import Customer


async def handler(event, context):
    customer = await asyncio.to_thread(Customer.load, event["customer"])
    return {"discount": customer.discount}
