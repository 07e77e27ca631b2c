"""A module global written by code in a string, as rules engines do."""

# mode: task
# rule: RUN101
# event: {"customer": "Ada"}
import asyncio

RULE = compile("globals().__setitem__('customer', given)", "rule", "exec")


async def handler(event, context):
    exec(RULE, globals(), {"given": event["customer"]})
    await asyncio.sleep(0)
    return {"customer": eval("customer")}
