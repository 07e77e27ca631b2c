"""A call that blocks, by a name that is computed."""

# mode: task
# rule: RUN109
# event: {"name": "Ada"}
# stall: 0.03
import importlib


async def handler(event, context):
    clock = importlib.import_module("ti" + "me")
    getattr(clock, "sl" + "eep")(0.05)
    return "slept"
