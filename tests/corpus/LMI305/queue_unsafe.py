"""Waits for a thread's answer by blocking the loop."""
# mode: task
import queue
import threading

import printer

answers = queue.Queue()


async def handler(event, context):
    done = threading.Event()
    printer.submit(event["page"], answers, done)
    done.wait()  # unsafe: LMI305
    return {"printed": answers.get()}  # unsafe: LMI305
