"""A lock that every invocation makes for itself locks nothing."""
# mode: thread
import threading

totals = {}


def handler(event, context):
    lock = threading.Lock()
    for record in event["Records"]:
        with lock:
            totals[record["awsRegion"]] = totals.get(record["awsRegion"], 0) + 1  # unsafe: LMI101
    return len(totals)
