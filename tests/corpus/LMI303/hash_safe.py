"""In a thread, where hashlib lets go of the GIL; a plain hash is quick; a constant is unpacked at import."""
# mode: task
import asyncio
import gzip
import hashlib

import users

WORDS = gzip.decompress(b"\x1f\x8b\x08\x00").split()


async def handler(event, context):
    user = await users.get(event["user"])
    password = event["password"].encode()
    digest = await asyncio.to_thread(hashlib.pbkdf2_hmac, "sha256", password, user["salt"], 600_000)
    tag = hashlib.sha256(event["user"].encode()).hexdigest()
    return {"valid": digest == user["digest"], "tag": tag, "words": len(WORDS)}
