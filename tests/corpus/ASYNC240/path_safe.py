"""Paths that are taken apart and put together, without asking anybody."""
# mode: task
import asyncio
import os.path
from pathlib import Path


async def handler(event, context):
    path = Path("/mnt/efs") / event["name"]
    if path.suffix != ".txt" or os.path.basename(path) != path.name:
        return None
    if not await asyncio.to_thread(os.path.exists, path):
        return None
    return await asyncio.to_thread(path.read_text)
