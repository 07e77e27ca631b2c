"""asyncio's lock; and a lock of threads that is held for one step without an await."""
# mode: task
import asyncio
import threading

import ledger

lock = asyncio.Lock()
counting = threading.Lock()
posted = 0


async def handler(event, context):
    global posted
    async with lock:
        balance = await ledger.balance(event["account"])
        done = await ledger.post(event["account"], balance + event["amount"])
    with counting:
        posted += 1
    return done
