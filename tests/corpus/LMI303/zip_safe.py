"""The same function for a thread."""
# mode: task
import asyncio
import base64
import io
import zipfile


def names(body):
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(body))) as archive:
        archive.testzip()
        return archive.namelist()


async def handler(event, context):
    return await asyncio.to_thread(names, event["body"])
