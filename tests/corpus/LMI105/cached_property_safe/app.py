"""The object that keeps it belongs to one invocation, or what it keeps belongs to none."""
# mode: task
from service import Request, Service

service = Service()


async def handler(event, context):
    request = Request(event)
    return {"greeting": f"{service.word} {request.name}"}
