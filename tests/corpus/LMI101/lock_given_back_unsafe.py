"""Two invocations write under a lock, and then both read what the second one wrote."""
# mode: thread
import threading

current = {}
guard = threading.Lock()
name = None


def greeting():
    return "hello " + current["user"]


def handler(event, context):
    global name
    with guard:
        current["user"] = event["user"]  # unsafe: LMI101
        current["count"] = len(event["items"])
    with guard:
        name = event["name"]  # unsafe: LMI101
    return greeting(), name
