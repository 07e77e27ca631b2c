"""A password is hashed for a tenth of a second, on the loop."""
# mode: task
import gzip
import hashlib

import users


async def handler(event, context):
    user = await users.get(event["user"])
    digest = hashlib.pbkdf2_hmac("sha256", event["password"].encode(), user["salt"], 600_000)  # unsafe: LMI303
    avatar = gzip.decompress(bytes.fromhex(event["avatar"]))  # unsafe: LMI303
    return {"valid": digest == user["digest"], "avatar": len(avatar)}
