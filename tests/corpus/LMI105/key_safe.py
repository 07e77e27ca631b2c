"""Keyed on the token; and a key set that is the same for all."""
# mode: task
import identity

_users = {}
_keys = {}


async def handler(event, context):
    user = await who(event["headers"]["authorization"])
    return {"statusCode": 200, "body": user["name"]}


async def who(token):
    if "jwks" not in _keys:
        _keys["jwks"] = await identity.fetch_keys()
    user = _users.get(token)
    if user is None:
        user = await identity.verify(token, _keys["jwks"])
        _users[token] = user
    return user
