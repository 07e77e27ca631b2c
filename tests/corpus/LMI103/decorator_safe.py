"""A decorator whose wrapper keeps nothing from one call to the next."""
# mode: task
import functools

import weather


def or_default(default):
    default = dict(default)

    def decorate(function):
        @functools.wraps(function)
        async def wrapper(event, context):
            answer = dict(default)
            try:
                answer.update(await function(event, context))
            except TimeoutError:
                answer["stale"] = True
            return answer

        return wrapper

    return decorate


@or_default({"sky": "unknown"})
async def handler(event, context):
    return await weather.at(event["place"])
