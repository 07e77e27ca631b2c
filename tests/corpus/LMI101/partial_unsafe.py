"""The handler is a function with its first argument given, once, at import."""
# mode: thread
from functools import partial

totals = {}


def order(table, event, context):
    table["last"] = event["id"]
    return table["last"]


handler = partial(order, totals)  # unsafe: LMI101
