"""The handlers that are measured, for both runtimes: nothing is imported here, so that start measures the runtime.

Those without annotations are what people run today, unmodified under either runtime.
"""

from __future__ import annotations


def noop(event, context):
    return {"statusCode": 200}


def echo(event, context):
    return event


def echo_bytes(event: bytes, context: object) -> bytes:
    return event


async def noop_async(event, context):
    return {"statusCode": 200}


async def echo_async(event, context):
    return event
