"""A dictionary with one key for all requests."""
# mode: task
import identity

_cache = {}


async def handler(event, context):
    user = await who(event["headers"]["authorization"])
    return {"statusCode": 200, "body": user["name"]}


async def who(token):
    if "user" not in _cache:
        _cache["user"] = await identity.verify(token)  # unsafe: LMI105
    return _cache["user"]
