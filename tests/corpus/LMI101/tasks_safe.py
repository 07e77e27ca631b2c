"""Tasks are held in a module's set until they are done, as the documentation of asyncio has it."""
# mode: task
import asyncio

import mail

_running = set()


async def handler(event, context):
    for record in event["Records"]:
        task = asyncio.create_task(mail.send(record["body"]))
        _running.add(task)
        task.add_done_callback(_running.discard)
    return len(event["Records"])
