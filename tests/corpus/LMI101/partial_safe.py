"""The argument is given once, and only read."""
# mode: thread
from functools import partial

prices = {"tea": 3}


def order(table, event, context):
    answer = {"last": event["id"]}
    answer["price"] = table[event["article"]]
    return answer


handler = partial(order, prices)
