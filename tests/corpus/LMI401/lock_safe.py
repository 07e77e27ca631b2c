"""Made on the loop that uses it."""
# mode: thread
import asyncio

import ledger


def handler(event, context):
    return asyncio.run(post(event))


async def post(event):
    turn = asyncio.Lock()

    async def one(line):
        async with turn:
            return await ledger.post(line["account"], line["amount"])

    return await asyncio.gather(*map(one, event["lines"]))
