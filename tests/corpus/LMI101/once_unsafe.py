"""Asks whether it is there already, and puts in what the request says."""
# mode: thread
import json

settings = {}


def handler(event, context):
    if not settings:
        settings.update(json.loads(event["body"]))  # unsafe: LMI105
    return {"statusCode": 200, "body": settings["greeting"]}
