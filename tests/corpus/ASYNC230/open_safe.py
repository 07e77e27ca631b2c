"""Read at import, or by a library that uses threads."""
# mode: task
import json

import aiofiles

with open("/opt/regions.json") as file:
    regions = json.load(file)


async def handler(event, context):
    async with aiofiles.open(f"/mnt/efs/{event['name']}") as file:
        return {"text": await file.read(), "region": regions.get(event["name"])}
