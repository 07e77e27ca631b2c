"""The same class, one object an invocation."""
# mode: thread
from service import OrderService


def handler(event, context):
    service = OrderService()
    service.set_user(event["requestContext"]["identity"]["user"])
    service.audit.append(event["path"])
    return service.orders()
