"""Asks the file system, which may be far away."""
# mode: task
import os
from pathlib import Path


async def handler(event, context):
    if not os.path.exists(f"/mnt/efs/{event['name']}"):  # unsafe: ASYNC240
        return None
    path = Path(f"/mnt/efs/{event['name']}")
    return {"size": path.stat().st_size}  # unsafe: ASYNC240
