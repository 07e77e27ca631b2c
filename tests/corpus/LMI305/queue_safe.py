"""asyncio's queue, or one that is asked without waiting."""
# mode: task
import asyncio
import queue

import printer

printed = queue.Queue()


async def handler(event, context):
    answers = asyncio.Queue()
    printer.submit(event["page"], answers)
    try:
        printed.get_nowait()
    except queue.Empty:
        pass
    return {"printed": await answers.get()}
