"""The object of the invocation makes a client in its constructor."""
# mode: thread
from repository import Orders


def handler(event, context):
    orders = Orders()
    return orders.find(event["id"])
