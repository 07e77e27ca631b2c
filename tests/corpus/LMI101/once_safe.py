"""Asks whether it is there already, and puts in what is the same for all; imports what is needed late."""
# mode: thread
import json
import os

settings = {}
_tracer = None


def handler(event, context):
    global _tracer
    if not settings:
        settings.update(json.loads(os.environ["SETTINGS"]))
    if _tracer is None:
        from tracing import tracer as _tracer
    return {"statusCode": 200, "body": settings["greeting"] + _tracer.name}
