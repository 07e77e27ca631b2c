"""The list is a local one; a table of the module is only read."""
# mode: thread
import json

LIMITS = {"tea": 10, "coffee": 5}


def handler(event, context):
    failures = []
    for record in event["Records"]:
        try:
            process(json.loads(record["body"]))
        except ValueError:
            failures.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failures}


def process(order):
    if order["count"] > LIMITS.get(order["item"], 1):
        raise ValueError("too many ordered")
