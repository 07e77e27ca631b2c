"""A timer for each invocation, which is an hour off."""

# mode: thread
# rule: RUN111
# event: {"job": "report"}
import importlib

threads = importlib.import_module("thread" + "ing")


def handler(event, context):
    timer = threads.Timer(3600, print, (event["job"],))
    timer.daemon = True
    timer.start()
    return "begun"
