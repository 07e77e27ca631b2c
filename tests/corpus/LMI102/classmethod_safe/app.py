"""A class method that gives a new instance."""
# mode: task
from orders import Orders


async def handler(event, context):
    orders = Orders.of(event["requestContext"]["authorizer"]["principalId"])
    return await orders.list()
