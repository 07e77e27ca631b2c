"""A service that is made at import, and remembers who it works for."""
# mode: thread
from service import OrderService

service = OrderService()


def handler(event, context):
    service.set_user(event["requestContext"]["identity"]["user"])
    service.audit.append(event["path"])  # unsafe: LMI106
    return service.orders()
