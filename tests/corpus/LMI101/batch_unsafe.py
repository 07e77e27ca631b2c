"""An SQS handler that collects its failures in a module's list."""
# mode: thread
import json

FAILURES = []


def handler(event, context):
    FAILURES.clear()  # unsafe: LMI101
    for record in event["Records"]:
        try:
            process(json.loads(record["body"]))
        except ValueError:
            FAILURES.append({"itemIdentifier": record["messageId"]})  # unsafe: LMI101
    return {"batchItemFailures": FAILURES}


def process(order):
    if order["count"] < 1:
        raise ValueError("nothing ordered")
