"""The template is filled in by a helper that changes what it is given."""
# mode: thread
import json

from shared.templates import fill

TEMPLATE = {"version": "1.0", "parts": []}


def handler(event, context):
    for record in event["Records"]:
        fill(TEMPLATE, json.loads(record["Sns"]["Message"]))  # unsafe: LMI101
    return TEMPLATE
