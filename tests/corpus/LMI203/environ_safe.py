"""Set at import, read by everybody; a child process gets a copy."""
# mode: task
import asyncio
import os

os.environ.setdefault("REGION", "eu-central-1")


async def handler(event, context):
    environment = os.environ.copy()
    environment["TENANT"] = event["tenant"]
    environment.update(REGION=os.environ["REGION"])
    child = await asyncio.create_subprocess_exec("/opt/bin/invoice", event["order"], env=environment)
    return await child.wait()
