"""The same helper, given something new each time."""
# mode: thread
import json

from shared.templates import fill

NAMES = ("subject", "body")


def handler(event, context):
    template = {"version": "1.0", "parts": []}
    for record in event["Records"]:
        fill(template, json.loads(record["Sns"]["Message"]))
    return template
