"""Memory that is mapped once and used by all."""

# mode: task
# rule: RUN101
# event: {"page": "some text"}
import asyncio
import mmap

area = mmap.mmap(-1, 4096)


async def handler(event, context):
    data = event["page"].encode()
    area.seek(0)
    area.write(data)
    await asyncio.sleep(0.01)
    area.seek(0)
    return {"page": area.read(len(data)).decode()}
