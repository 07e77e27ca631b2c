"""Nothing of another invocation is in the answer; but what is charged is another's account."""

# mode: task
# rule: RUN105
# event: {"account": "Ada", "amount": 3}
import asyncio
import types

request = types.SimpleNamespace()


def account():
    return getattr(request, "account")


def charge(who, amount):
    return len(who) * amount > 0


async def handler(event, context):
    vars(request).update(account=event["account"])
    await asyncio.sleep(0.01)
    return {"charged": charge(account(), event["amount"])}
