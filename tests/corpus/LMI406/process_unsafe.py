"""A child that nobody waits for stays as a zombie, one an invocation."""
# mode: process
import multiprocessing

import report


def handler(event, context):
    worker = multiprocessing.Process(target=report.write, args=(event["id"],))
    worker.start()  # unsafe: LMI406
    return {"started": worker.pid}
