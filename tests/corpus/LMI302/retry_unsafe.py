"""A decorator that tries again, and sleeps between."""
# mode: task
import functools
import time


def retried(function):
    @functools.wraps(function)
    def wrapper(*args):
        for pause in (0.1, 0.2, 0.4):
            try:
                return function(*args)
            except LookupError:
                time.sleep(pause)  # unsafe: LMI302
        return None

    return wrapper


@retried
def find(orders, number):
    return orders[number]


async def handler(event, context):
    return find(event["orders"], event["number"])
