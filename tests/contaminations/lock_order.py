"""Two locks, taken in the order that the event says."""

# mode: task
# rule: RUN114
# event: {"from": 0, "to": 1}
# event: {"from": 1, "to": 0}
import asyncio

accounts = [asyncio.Lock(), asyncio.Lock()]


async def handler(event, context):
    async with accounts[event["from"]]:
        await asyncio.sleep(0.01)
        async with accounts[event["to"]]:
            return "moved"
