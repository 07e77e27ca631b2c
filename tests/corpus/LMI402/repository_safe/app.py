"""The same class, and one object for all, which nobody writes."""
# mode: thread
from repository import Orders

orders = Orders()


def handler(event, context):
    return orders.find(event["id"])
