"""The lock is as global as the table that it guards; it is taken by hand."""
# mode: thread
import threading

totals = {}
guard = threading.RLock()


def handler(event, context):
    for record in event["Records"]:
        guard.acquire()
        try:
            totals[record["awsRegion"]] = totals.get(record["awsRegion"], 0) + 1
        finally:
            guard.release()
    return "counted"
