"""A thread serves one invocation at a time, so what is local to it is the invocation's."""
# mode: thread
import threading

import audit

local = threading.local()


def handler(event, context):
    local.request = event["requestContext"]["requestId"]
    audit.write(event)
    return {"request": local.request}
