"""A pickle that stands for an object of the module: loading it gives the same object every time."""

# mode: task
# rule: RUN101
# event: {"name": "Ada"}
import asyncio
import pickle
import types


class Account(types.SimpleNamespace):
    def __reduce__(self):
        return "account"


account = Account()
PICKLED = pickle.dumps(account)


async def handler(event, context):
    mine = pickle.loads(PICKLED)
    mine.name = event["name"]
    await asyncio.sleep(0.01)
    return {"name": pickle.loads(PICKLED).name}
