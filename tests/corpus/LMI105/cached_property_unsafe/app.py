"""One service object for all; what it computes lazily comes from the first request."""
# mode: task
from service import Service

service = Service()


async def handler(event, context):
    return {"greeting": service.greeting}
