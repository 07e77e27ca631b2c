"""One object for all events, which computes what is in the first one."""
# mode: thread
from events import Current

current = Current()


def handler(event, context):
    return {"order": current.body(event)["order"]}
