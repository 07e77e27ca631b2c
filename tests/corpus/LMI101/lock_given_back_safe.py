"""What is read after the lock was given back is a total, an entry of this caller, or was set once."""
# mode: thread
import threading

guard = threading.Lock()
total = 0
last = {}
sessions = {}
stage = None


def handler(event, context):
    global total, stage
    with guard:
        total += event["amount"]
        count = total
    with guard:
        last["id"] = event["id"]
        previous = last["id"]
    if stage is None:
        with guard:
            if stage is None:
                stage = event["stage"]
    with guard:
        sessions[event["session"]] = event["user"]
    if event.get("early"):
        with guard:
            last["early"] = event["id"]
        return count
    return count, previous, total, stage, sessions[event["session"]], last.get("early")
