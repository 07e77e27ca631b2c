"""The decorator for coroutines awaits its pause."""
# mode: task
import asyncio
import functools


def retried(function):
    @functools.wraps(function)
    async def wrapper(*args):
        for pause in (0.1, 0.2, 0.4):
            try:
                return await function(*args)
            except LookupError:
                await asyncio.sleep(pause)
        return None

    return wrapper


@retried
async def find(orders, number):
    return orders[number]


async def handler(event, context):
    return await find(event["orders"], event["number"])
