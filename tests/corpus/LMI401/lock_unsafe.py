"""The lock belongs to the loop of whoever had to wait for it first."""
# mode: thread
import asyncio

import ledger

turn = asyncio.Lock()  # unsafe: LMI401


def handler(event, context):
    return asyncio.run(post(event))


async def post(event):
    async with turn:
        return await ledger.post(event["account"], event["amount"])
