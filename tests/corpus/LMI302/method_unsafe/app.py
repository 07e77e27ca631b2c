"""A property and a constructor that read from the network."""
# mode: task
from customer import Customer


async def handler(event, context):
    customer = Customer(event["customer"])
    return {"discount": customer.discount}
