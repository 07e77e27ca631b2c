"""An async handler as awslambdaric runs it today: a loop for every event."""

from __future__ import annotations

import asyncio


async def noop(event, context):
    return {"statusCode": 200}


def noop_run(event, context):
    return asyncio.run(noop(event, context))
