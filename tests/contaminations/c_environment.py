"""A variable set by the C library, for a child process that is started later."""

# mode: task
# rule: RUN104
# event: {"language": "en"}
import asyncio
import ctypes

libc = ctypes.CDLL(None)


async def handler(event, context):
    libc.setenv(b"REPORT_LANGUAGE", event["language"].encode(), 1)
    await asyncio.sleep(0.01)
    return "reported"
