"""Waited for; and a thread that is started once, at import."""
# mode: process
import multiprocessing
import threading

import report

threading.Thread(target=report.watch, daemon=True).start()


def handler(event, context):
    workers = [multiprocessing.Process(target=report.write, args=(number,)) for number in event["ids"]]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return [worker.exitcode for worker in workers]
