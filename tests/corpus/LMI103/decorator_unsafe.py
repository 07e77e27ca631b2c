"""A decorator that gives the last answer again when the next one fails: it may be somebody else's."""
# mode: task
import functools

import weather


def or_last(function):
    last = {}

    @functools.wraps(function)
    async def wrapper(event, context):
        try:
            last["answer"] = await function(event, context)  # unsafe: LMI103
        except TimeoutError:
            pass
        return last["answer"]

    return wrapper


@or_last
async def handler(event, context):
    return await weather.at(event["place"])
