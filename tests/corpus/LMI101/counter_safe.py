"""The lock is held for the whole of reading and writing."""
# mode: thread
import threading

served = 0
_lock = threading.Lock()


def handler(event, context):
    global served
    with _lock:
        served += len(event["Records"])
        total = served
    return {"served": total}
