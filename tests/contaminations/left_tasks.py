"""A heartbeat for each invocation, which nobody ends."""

# mode: task
# rule: RUN110
# event: {"job": "report"}
import asyncio

start = "create" + "_task"


async def beat(job):
    while True:
        await asyncio.sleep(3600)


async def handler(event, context):
    getattr(asyncio.get_running_loop(), start)(beat(event["job"]))
    return "begun"
