"""One list is the default of every context: whoever has set nothing appends to everybody's."""
# mode: task
from contextvars import ContextVar

steps = ContextVar("steps", default=[])  # unsafe: B039


async def handler(event, context):
    steps.get().append(event["name"])
    return len(steps.get())
