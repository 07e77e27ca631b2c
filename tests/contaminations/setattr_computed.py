"""An attribute whose name is computed, set by what a table of actions says."""
# mode: task
# rule: RUN101
# event: {"name": "Ada"}
import asyncio
import types

state = types.SimpleNamespace()
ACTIONS = {"remember": "set", "recall": "get"}


def act(action, *arguments):
    return getattr(__import__("builtins"), ACTIONS[action] + "attr")(state, "current_user", *arguments)


async def handler(event, context):
    act("remember", event["name"])
    await asyncio.sleep(0.01)
    return {"user": act("recall")}
