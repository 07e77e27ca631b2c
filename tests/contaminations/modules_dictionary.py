"""A global of this module, by way of sys.modules, from a thread."""

# mode: thread
# rule: RUN101
# event: {"name": "Ada"}
import sys


def handler(event, context):
    here = sys.modules[__name__]
    vars(here).update({"user": event["name"]})
    greeting = "Hello " + vars(here)["user"]
    return {"greeting": greeting}
