"""The same with a lock of asyncio around all of it."""
# mode: task
import asyncio

import ledger

balance = {"total": 0}
_turn = asyncio.Lock()


async def handler(event, context):
    async with _turn:
        before = balance["total"]
        await ledger.post(event["detail"])
        balance["total"] = before + event["detail"]["amount"]
        return balance["total"]
