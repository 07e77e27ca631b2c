"""What an invocation leaves in its thread, for the next one there; the standard library calls it thread-safe."""

# mode: thread
# rule: RUN101
# event: {"name": "Ada"}
import threading

local = threading.local()


def handler(event, context):
    if not hasattr(local, "user"):
        local.user = event["name"]
    return {"user": local.user}
