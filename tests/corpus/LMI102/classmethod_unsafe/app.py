"""A connection's user is kept on the class, by a base class in another file."""
# mode: task
from orders import Orders


async def handler(event, context):
    Orders.use(event["requestContext"]["authorizer"]["principalId"])
    return await Orders.list()
